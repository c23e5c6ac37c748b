// Takes connections from one listening socket: to EAGAIN, as edge-triggered epoll demands, but at
// most turn.accepts in a turn.
//
// When there is no room (limits.max_connections) or the process has no descriptors or memory left,
// it stops and leaves the clients in the kernel's queue. It has used up its edge then, so it waits
// in line with the other listeners (admission.hpp) until the close of a connection resumes it, or,
// if the shortage is not of our making, a timer.
//
// Every worker has a listener for the same socket. Its registration is exclusive (EPOLLEXCLUSIVE,
// epoll_ctl(2)): the kernel wakes one worker that sleeps, not all, and not one that is busy if
// another sleeps. What it accepts may go to another worker (roster.hpp).
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "channel.hpp"
#include "inbox.hpp"
#include "listen_socket.hpp"
#include "timer.hpp"

namespace echod {

struct EchoContext;

class Listener final : public Channel {
 public:
  // Shares the socket with its owner and with other workers' listeners; the last one closes it.
  // `on_lost` is called with the errno if the socket turns out to be broken for good.
  Listener(EchoContext& context, std::shared_ptr<const sys::ListenSocket> socket,
           std::function<void(int)> on_lost);
  ~Listener() override;

  // Registers with the loop. Throws std::system_error.
  void start();
  Turn on_turn(std::uint32_t events) noexcept override;
  // Ends the wait for room.
  void resume() noexcept;
  // Has a turn, though no event came for it.
  void look() noexcept;

  // Whether somebody else has the socket open too.
  [[nodiscard]] bool is_passed() const noexcept { return !is_closed() && socket_->is_passed; }
  // Takes everybody who waits in the queue, whatever the limit on connections, and then lets go of
  // the socket: whoever is in the queue of a socket that closes gets an RST. If descriptors run
  // short, it goes on as connections leave. The queue of a socket that was passed stays as it is,
  // for whoever serves it next.
  void begin_emptying() noexcept;
  [[nodiscard]] bool is_closed() const noexcept { return socket_ == nullptr; }

 private:
  enum class Accepting : std::uint8_t { next, done, pause, lost };

  [[nodiscard]] Turn accept_some() noexcept;
  [[nodiscard]] Accepting accept_one() noexcept;
  [[nodiscard]] bool reserve() noexcept;
  void empty() noexcept;
  void let_go() noexcept;
  void pause_for_resources(int error) noexcept;

  EchoContext& context_;
  std::shared_ptr<const sys::ListenSocket> socket_;
  std::function<void(int)> on_lost_;
  // Room for the one to be accepted next; empty: it was handed over.
  Inbox::Connections next_ = Inbox::Connections(1);
  Timer retry_;
  bool is_waiting_ = false;
  bool is_emptying_ = false;
  int left_to_empty_ = 0;
};

}  // namespace echod
