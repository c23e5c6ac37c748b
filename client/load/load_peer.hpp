// What a load worker drives: a TCP or UNIX connection (load_connection.hpp), or a UDP socket
// (datagram_flow.hpp).
//
// Thread-safety: used only by its worker's thread. Never blocks.
#pragma once

#include "loop/channel.hpp"
#include "sys/clock.hpp"

namespace echod::client {

class LoadPeer : public Channel {
 public:
  // Starts to connect, or opens its socket. Must be called only while closed.
  virtual void open() noexcept = 0;
  // Starts to send messages: as many as the depth allows, and in an open loop only those due.
  virtual void start() noexcept = 0;
  // Open loop: one more message was due at `due`.
  virtual void message_due(sys::TimePoint due) noexcept = 0;
  // Once context.is_stopping is set: begins to close as soon as every message due or begun is
  // answered. No-op before.
  virtual void stop() noexcept = 0;
  // Drops the messages that are due and not begun, and counts them as not sent.
  virtual void give_up_unbegun() noexcept = 0;
  // Stops waiting for what is outstanding, and closes.
  virtual void abandon() noexcept = 0;
  // Opens it again if it was lost. No-op until context.is_ready is set, and if the run no longer
  // needs it.
  virtual void reopen() noexcept = 0;
  // Fails or gives up what has waited for longer than the timeout, and retries what is due to be
  // retried. Must be called a few times a second.
  virtual void check_timeouts() noexcept = 0;

 protected:
  LoadPeer() noexcept = default;
};

}  // namespace echod::client
