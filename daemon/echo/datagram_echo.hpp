// The turns of one UDP socket, whose datagrams are echoed (datagram_relay.hpp).
//
//   echoing --drain()--> emptying --the queue is empty--> closed
//   echoing --drain(), a passed socket--> closed
//   echoing, emptying --close()--> closed
//
// A turn receives at most turn.reads datagrams, where a train counts as one, in batches of at most
// DatagramBatch::kMost. It ends after the batch in which turn.bytes_kib is reached. A batch that is
// not full means that the queue is empty. The next datagram then raises a new event. There is one
// exception: after an error, such as ENOMEM, the queue may not be empty and no event may come. If
// the error came after the first datagram of a batch, recvmmsg(2) reports it in the next call. So
// the socket is tried again 250 ms after an error, and within 250 ms after a batch that was not
// full.
//
// Shares the socket with the service. Thread-safety: belongs to the worker's thread. Never blocks.
// Only the constructor throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "echo/datagram_relay.hpp"
#include "echo/echo_settings.hpp"
#include "loop/channel.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"
#include "sys/datagram_socket.hpp"
#include "telemetry/connection_log.hpp"
#include "telemetry/counters.hpp"

namespace echod {

class DatagramEcho final : public Channel {
 public:
  static constexpr std::chrono::milliseconds kRetryInterval{250};

  // The objects that it uses. They must outlive it.
  struct Context {
    EventLoop& loop;
    const EchoSettings& settings;
    Counters& counters;
    ConnectionLog& log;
    DatagramRelay& relay;
  };

  // Registers the socket with the loop. Throws std::system_error, std::bad_alloc.
  DatagramEcho(const Context& context, std::shared_ptr<const sys::DatagramSocket> socket);
  ~DatagramEcho() override;
  DatagramEcho(const DatagramEcho&) = delete;
  DatagramEcho& operator=(const DatagramEcho&) = delete;

  // Echoes what is in the queue, and then releases the socket. A passed socket is released
  // immediately: its queue is for the process that serves it next.
  void drain() noexcept;
  // Releases the socket now.
  void close() noexcept;
  [[nodiscard]] bool is_closed() const noexcept { return socket_ == nullptr; }

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  [[nodiscard]] Turn after_error(int error) noexcept;
  void on_retry() noexcept;

  Context context_;
  std::shared_ptr<const sys::DatagramSocket> socket_;  // nullptr: closed.
  Timer retry_;
  bool is_emptying_ = false;
  std::size_t left_to_empty_ = 0;  // Datagrams that may still be echoed while emptying.
};

// An upper bound of the datagrams in the queue of `socket`, computed from its receive buffer.
// Bounds the work of emptying it: newcomers could keep the queue from ever being empty.
[[nodiscard]] std::size_t most_queued(const sys::DatagramSocket& socket) noexcept;

}  // namespace echod
