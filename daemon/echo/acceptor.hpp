// Accepts connections for one worker from all listening sockets: until EAGAIN, as edge-triggered
// epoll demands, but at most turn.accepts in a turn.
//
// Every worker has every listening socket registered with EPOLLEXCLUSIVE (epoll_ctl(2)): for a new
// client the kernel wakes one worker that sleeps. A worker that should not, or cannot, accept
// stops, although its edge is used up, and leaves the client in the kernel's accept queue. Then one
// of these goes on (admission.hpp):
//
//   it stopped because           goes on
//   ---------------------------  ---------------------------------------------------------------
//   another worker has clearly   that worker, which is called; this one, if the called worker has
//   fewer connections            not come after 100 ms
//   there is no memory for a     a worker that has memory, which is called; this one, every 250 ms
//   connection
//   the daemon is full           the worker in which the next connection ends
//   descriptors or the kernel's  the worker in which the next connection ends; this one, every 250
//   ms memory are used up
//
// Sockets take turns, so that one whose queue is never empty cannot keep the others out.
//
// Thread-safety: belongs to its worker's thread. Never blocks. Only the constructor and add()
// throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "channel.hpp"
#include "clock.hpp"
#include "counters.hpp"
#include "listen_socket.hpp"
#include "notifier.hpp"
#include "timer.hpp"

namespace echod {

struct EchoContext;

class Acceptor {
 public:
  // Calls `on_lost` with the errno if a socket is broken for good, after letting go of it.
  Acceptor(EchoContext& context, std::function<void(int)> on_lost);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Registers with the loop. Shares the socket with its owner and with other workers; the last one
  // closes it. Throws std::system_error, std::bad_alloc.
  void add(std::shared_ptr<const sys::ListenSocket> socket);

  // Looks into all accept queues in the next pass, though no event came for them.
  void look() noexcept;
  // Connections of this worker have ended: accepts clients that wait for room.
  void on_connections_ended() noexcept;

  // Accepts every client that waits in a queue, whatever the limit on connections and the worker's
  // share, and then lets go of the socket: closing it would reset clients in its queue. Where
  // descriptors run short, it goes on as connections end. A socket that was passed is let go of at
  // once: its queue is for the process that serves it next.
  void begin_emptying() noexcept;
  // Lets go of all sockets now.
  void close() noexcept;
  // Whether it has let go of all sockets.
  [[nodiscard]] bool is_closed() const noexcept;

 private:
  // One listening socket. A turn of any of them is a turn for all.
  class Queue final : public Channel {
   public:
    Queue(Acceptor& acceptor, std::shared_ptr<const sys::ListenSocket> listen_socket) noexcept
        : socket(std::move(listen_socket)), acceptor_(acceptor) {}
    Turn on_turn(std::uint32_t /*events*/) noexcept override { return acceptor_.accept_some(); }

    std::shared_ptr<const sys::ListenSocket> socket;  // nullptr: let go of.
    bool may_have_clients = true;                     // In this turn: it has not said EAGAIN yet.
    int left_to_empty = 0;

   private:
    Acceptor& acceptor_;
  };
  enum class Result : std::uint8_t { next, stop };

  void on_called() noexcept;
  [[nodiscard]] Turn accept_some() noexcept;
  [[nodiscard]] bool may_have_clients() const noexcept;
  [[nodiscard]] Queue* next_queue() noexcept;
  [[nodiscard]] Result accept_from(Queue& queue) noexcept;
  [[nodiscard]] Result leave_to(std::size_t emptier, Queue& queue) noexcept;
  [[nodiscard]] Result after_error(Queue& queue, int error) noexcept;
  [[nodiscard]] bool takes_room(const Queue& queue) noexcept;
  void call(std::size_t worker) noexcept;
  void wait_for_memory(const Queue& queue) noexcept;
  void wait_for_resources(const Queue& queue, int error) noexcept;
  void count_pause(Counter cause) noexcept;
  void on_retry() noexcept;
  void note_all() noexcept;
  void on_emptied(Queue& queue) noexcept;
  void on_all_emptied() noexcept;
  void let_go(Queue& queue) noexcept;

  struct Called {
    std::size_t worker;
    sys::TimePoint time;
  };

  EchoContext& context_;
  std::function<void(int)> on_lost_;
  Notifier on_called_;
  Timer retry_;
  std::optional<Called> called_;  // The worker that should accept instead; retry_ runs.
  std::vector<std::unique_ptr<Queue>> queues_;
  std::size_t next_ = 0;  // Place in queues_ of the socket whose turn it is.
  bool is_paused_ =
      false;  // Stopped because room or resources were used up, and has not accepted since.
  bool is_emptying_ = false;
};

}  // namespace echod
