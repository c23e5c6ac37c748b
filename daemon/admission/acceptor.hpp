// Accepts connections for one worker from all listening sockets: until EAGAIN, as edge-triggered
// epoll demands, but at most turn.accepts of them in a turn.
//
// Every worker registers every listening socket with EPOLLEXCLUSIVE (epoll_ctl(2)): for a new
// client the kernel wakes at least one sleeping worker. A worker that should not or cannot accept
// stops, and the client stays in the kernel's accept queue. No further event reports that client.
// So for each reason to stop, another event makes a worker poll the queues (admission.hpp):
//
//   reason to stop               polls the queues later
//   ---------------------------  ---------------------------------------------------------------
//   another worker has clearly   that worker, which is woken; this one, if the woken worker has not
//   fewer connections            answered after 100 ms
//   no memory for a connection   a worker that has memory, which is woken; the worker in which the
//                                next connection ends; this one, every 250 ms
//   limits.max_connections       the worker in which the next connection ends
//   descriptors or the kernel's  the worker in which the next connection ends; this one, every 250
//   memory are used up           ms
//
// The sockets are served round-robin: one whose queue is never empty cannot keep the others out.
//
// Thread-safety: belongs to its worker's thread. Never blocks. Only the constructor and add()
// throw.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "admission/admission.hpp"
#include "admission/connection_sink.hpp"
#include "loop/channel.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "loop/timer.hpp"
#include "sys/clock.hpp"
#include "sys/listen_socket.hpp"
#include "telemetry/connection_log.hpp"
#include "telemetry/counters.hpp"

namespace echod {

class Acceptor {
 public:
  // When to retry after a shortage of descriptors or memory, which other processes may end.
  static constexpr std::chrono::milliseconds kRetryInterval{250};

  // The objects that the acceptor uses. They must outlive it.
  struct Context {
    EventLoop& loop;
    WorkerAdmission admission;
    Counters& counters;
    ConnectionLog& log;
    ConnectionSink& connections;
  };

  // If a listening socket fails for good, releases it and then calls `on_lost` with the errno.
  Acceptor(const Context& context, std::uint32_t accepts_in_a_turn,
           std::function<void(int)> on_lost);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void set_accepts_in_a_turn(std::uint32_t accepts) noexcept { accepts_in_a_turn_ = accepts; }

  // Registers with the loop. The socket is shared with its owner and other workers; the last one
  // closes it. Listeners are numbered in the order of these calls, from 0; at most kMostListeners.
  // Throws std::system_error, std::bad_alloc.
  void add(std::shared_ptr<const sys::ListenSocket> socket);
  // Takes the last add() back.
  void remove_last() noexcept;

  // Polls all accept queues in the next pass, without waiting for an event.
  void poll_again() noexcept;
  // Connections of this worker have ended: accepts clients that wait for a slot.
  void on_connections_ended() noexcept;

  // Accepts the clients that wait in the queues, at most one full backlog of each, and then
  // releases the sockets: closing them earlier would reset these clients. Ignores
  // limits.max_connections and how connections are spread. If descriptors run short, it tries again
  // every 250 ms and when a connection ends. A passed socket is released immediately: its queue is
  // for the process that serves it next.
  void accept_waiting_then_close() noexcept;
  // Releases all sockets now.
  void close() noexcept;
  // Whether all sockets are released.
  [[nodiscard]] bool is_closed() const noexcept;

 private:
  // One listening socket. An event of any of them makes the worker accept from all.
  class Listener final : public Channel {
   public:
    Listener(Acceptor& acceptor, std::shared_ptr<const sys::ListenSocket> listen_socket,
             std::uint8_t listener_number) noexcept
        : socket(std::move(listen_socket)), number(listener_number), acceptor_(acceptor) {}
    Turn on_turn(std::uint32_t /*events*/) noexcept override { return acceptor_.accept_some(); }

    std::shared_ptr<const sys::ListenSocket> socket;  // nullptr: released.
    const std::uint8_t number;
    bool may_have_clients = true;  // accept4(2) has not failed with EAGAIN in this turn.
    int left_to_empty = 0;         // Clients that may still be accepted while emptying.

   private:
    Acceptor& acceptor_;
  };
  enum class Result : std::uint8_t { next, stop };

  void on_woken() noexcept;
  [[nodiscard]] Turn accept_some() noexcept;
  [[nodiscard]] bool may_have_clients() const noexcept;
  [[nodiscard]] Listener* next_listener() noexcept;
  [[nodiscard]] Result accept_from(Listener& listener) noexcept;
  [[nodiscard]] Result leave_to(std::size_t other, Listener& listener) noexcept;
  [[nodiscard]] Result after_error(Listener& listener, int error) noexcept;
  [[nodiscard]] bool take_slot(const Listener& listener) noexcept;
  void wake(std::size_t worker) noexcept;
  void wait_for_memory(const Listener& listener) noexcept;
  void wait_for_resources(const Listener& listener, int error) noexcept;
  void count_pause(Counter cause) noexcept;
  void on_retry() noexcept;
  void assume_clients_in_all_queues() noexcept;
  void on_empty(Listener& listener) noexcept;
  void on_all_empty() noexcept;
  void release(Listener& listener) noexcept;

  struct Woken {
    std::size_t worker;
    sys::TimePoint time;
  };

  EventLoop& loop_;
  Admission& admission_;
  const std::size_t worker_;
  Counters& counters_;
  ConnectionLog& log_;
  ConnectionSink& connections_;
  std::uint32_t accepts_in_a_turn_;
  std::function<void(int)> on_lost_;
  Notifier on_wake_;
  Timer retry_;
  std::optional<Woken> woken_;  // The worker that should accept instead of this one; retry_ runs.
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t next_ = 0;  // Index in listeners_ of the socket to accept from next.
  // What stopped accepting. Cleared by an accept or an empty queue.
  std::optional<Counter> pause_cause_;
  bool is_emptying_ = false;
};

}  // namespace echod
