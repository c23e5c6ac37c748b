// One thread that echoes, with its own event loop, connections, acceptor and counters. A connection
// stays in the worker that accepted it, and the data path shares nothing with other threads.
//
//   created --start()--> serving --drain()--> draining --nothing is left--> ended
//                        serving --park()--> parking --the turn ends--> parked
//                                            parking, parked --unpark()--> serving
//
// Nothing is left when all sockets are released and all connections are closed.
// abort_connections() makes that happen at once, but ends no worker that does not drain. It and
// drain() may be called in any state. While a worker is parked, its thread waits between two turns.
// Then the service's thread may read the connections, and the kernel keeps what peers send.
//
// Thread-safety: one other thread, the service's, may call the members. apply(), drain(),
// abort_connections(), inquire() and park() only post a request, which the worker's thread carries
// out soon after; they neither block nor allocate. Members marked "Any thread" may be called by
// every thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "admission/acceptor.hpp"
#include "echo/connection_inquiry.hpp"
#include "echo/connection_visit.hpp"
#include "echo/echo_context.hpp"
#include "echo/parked_connection.hpp"
#include "echo/timeout_sweep.hpp"
#include "echo/worker_datagrams.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"

namespace echod {

// What the workers of one daemon share. It must outlive them. Thread-safety: any thread.
struct SharedState {
  SharedState(const EchoSettings& settings, std::size_t workers)
      : admission(settings.max_connections, workers) {
    apply(settings);
  }
  void apply(const EchoSettings& settings) noexcept {
    admission.set_max_connections(settings.max_connections);
    line_limits.set_per_second(settings.log_lines_per_second);
  }

  Admission admission;
  LineLimits line_limits;
  std::atomic<std::size_t> pinned_rounds{0};  // Of all workers together (pinned_rounds.hpp).
  // The ports on which this daemon serves UDP. Set before the workers start.
  std::vector<std::uint16_t> datagram_ports;
};

// Called in the worker's thread; must not block.
struct WorkerEvents {
  std::function<void()> on_ended;             // The thread is about to end.
  std::function<void(int)> on_listener_lost;  // A listening socket failed for good, with an errno.
  std::function<void()> on_parked = [] {};
  std::function<void()> on_serving = [] {};  // The thread has started, and has resumed connections.
};

struct ParkedConnections {
  std::vector<ParkedConnection> connections;
  std::shared_ptr<const void> memory;  // Keeps the bytes that they owe.
};

// What a worker has counted since the start of the process.
struct WorkerTotals {
  std::array<std::uint64_t, kCounters> counters{};
  DelayHistogram::Values server_delay;
  std::uint64_t stale_events = 0;
  std::uint64_t turns = 0;
};

class Worker {
 public:
  // Workers are numbered from 0. `shared` must outlive it. Throws std::system_error,
  // std::bad_alloc.
  Worker(const EchoSettings& settings, WorkerLogs logs, SharedState& shared, std::size_t number,
         WorkerEvents events);
  // Call end() on all workers that share `shared` before the first of these destructors.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Call it before start(). Throws std::system_error.
  void listen(std::shared_ptr<const sys::ListenSocket> socket);
  // Echoes the datagrams of `socket`, which no other worker must have. Call it before start().
  // Throws std::system_error, std::bad_alloc.
  void listen(std::shared_ptr<const sys::DatagramSocket> socket) {
    datagrams_.add(std::move(socket));
  }
  // Undo the last listen() of a listening socket, or of a UDP socket.
  void unlisten_stream() noexcept { acceptor_.remove_last(); }
  void unlisten_datagram() noexcept { datagrams_.remove_last(); }
  // As WorkerDatagrams::echo_queued(). Call it before start().
  [[nodiscard]] bool echo_queued(const sys::DatagramSocket& socket, sys::TimePoint deadline) {
    return datagrams_.echo_queued(socket, deadline);
  }
  // Adds the counts of a parked worker of an earlier program. Call it before start().
  void restore(const WorkerTotals& totals) noexcept;
  // Adds the connections of a listener that have ended in an earlier program. Call it before
  // start().
  void restore(ListenerCounts::Listener listener, std::uint64_t ended) noexcept {
    context_.listener_counts.restore(listener, ended);
  }
  // Passes the open connections of an earlier program, which the worker's thread registers before
  // it serves. Call it before start().
  void resume(ParkedConnections connections) noexcept { to_resume_ = std::move(connections); }
  // Serves a connection that the caller has accepted. Call it before start().
  void adopt(sys::Accepted accepted, ListenerCounts::Listener listener) noexcept;
  void start();

  // Parks the worker; events.on_parked is called then. It must not drain.
  void park() noexcept;
  // Ends the parking, also before the worker is parked.
  void unpark() noexcept;
  // Whether its thread has resumed the connections and serves.
  [[nodiscard]] bool is_serving() const noexcept { return is_serving_.load(); }
  // Whether its thread waits.
  [[nodiscard]] bool is_parked() const noexcept { return parking_ == Parking::parked; }
  // Calls `visitor` for each connection. The worker must be parked.
  void visit_parked(const std::function<void(const ParkedConnection&)>& visitor);

  // Takes over new settings.
  void apply(const EchoSettings& settings) noexcept;
  // Serves the clients that wait in the accept queues, echoes the datagrams that wait, releases the
  // sockets, drains every connection, then ends.
  void drain() noexcept;
  // Releases the listening and UDP sockets and closes all connections.
  void abort_connections(CloseReason reason) noexcept;
  // Starts `inquiry`. Drops an earlier inquiry that has not ended: its end() is never called. end()
  // is not called either if the worker ends first. All calls must come from one thread; it need not
  // be the service's.
  void inquire(std::shared_ptr<ConnectionInquiry> inquiry) noexcept;
  // Ends the thread immediately, even if connections are left, and waits for it. A parked worker
  // does not touch its connections again.
  void end() noexcept;

  // Asks for a sign of life: turns() grows unless the thread is stuck. Any thread.
  void probe() noexcept { loop_.wake_up(); }
  [[nodiscard]] std::uint64_t turns() const noexcept { return loop_.turns(); }
  // Whether its thread has left its loop for good. Any thread.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(); }

  // Any thread may call these.
  [[nodiscard]] const Counters& counters() const noexcept { return context_.counters; }
  [[nodiscard]] const ListenerCounts& listener_counts() const noexcept {
    return context_.listener_counts;
  }
  [[nodiscard]] DelayHistogram::Values server_delay() const noexcept {
    return context_.server_delay.values();
  }
  [[nodiscard]] std::size_t buffered_bytes() const noexcept {
    return context_.relay.buffered_bytes();
  }
  [[nodiscard]] std::uint64_t stale_events() const noexcept { return loop_.stale_events(); }
  // How many of the connections that resume() passed were lost.
  [[nodiscard]] std::uint64_t not_resumed() const noexcept { return context_.not_resumed.load(); }

 private:
  struct Requests {
    std::optional<EchoSettings> settings;
    std::optional<CloseReason> abort;
    std::shared_ptr<ConnectionInquiry> inquiry;
    bool drain = false;
    bool end = false;
  };
  enum class Parking : std::uint8_t { none, wanted, parked, ending };

  template <typename Change>
  void request(Change change) noexcept;
  void set_parking(Parking parking) noexcept;
  void carry_out_requests() noexcept;
  void run() noexcept;
  void begin_drain() noexcept;
  void resume_connections() noexcept;
  void wait_while_parked() noexcept;

  WorkerEvents events_;
  EventLoop loop_;
  EchoContext context_;
  Acceptor acceptor_{context_.acceptor_context(), context_.settings.turn_accepts,
                     events_.on_listener_lost};
  WorkerDatagrams datagrams_;
  TimeoutSweep sweep_{context_};
  ConnectionVisit drain_visit_{loop_, context_.table,
                               [](Connection& connection) { connection.begin_drain(); }, [] {}};
  CloseReason abort_reason_ = CloseReason::forced;
  ConnectionVisit abort_visit_{loop_, context_.table,
                               [this](Connection& connection) { connection.abort(abort_reason_); },
                               [] {}};
  std::shared_ptr<ConnectionInquiry> inquiry_;  // nullptr: none is in progress.
  ConnectionVisit inquiry_visit_{loop_, context_.table,
                                 [this](Connection& connection) { inquiry_->visit(connection); },
                                 [this] { std::exchange(inquiry_, nullptr)->end(); }};
  ParkedConnections to_resume_;
  bool must_end_ = false;
  std::mutex parking_mutex_;
  std::condition_variable on_unparked_;
  std::atomic<Parking> parking_{Parking::none};  // Written under parking_mutex_.
  std::mutex requests_mutex_;
  Requests requests_;  // Not carried out yet. Guarded by requests_mutex_.
  Notifier on_requests_{loop_, [this] { carry_out_requests(); }};
  std::atomic<bool> is_serving_{false};
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

}  // namespace echod
