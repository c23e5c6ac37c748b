// All workers of a daemon, controlled and read as one.
//
// Thread-safety: belongs to one thread, the service's; any thread may read the counters and gauges.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "echo/echo_context.hpp"
#include "echo/worker.hpp"

namespace echod {

// The UDP sockets of one [[listen]].
using DatagramSockets = std::vector<std::shared_ptr<const sys::DatagramSocket>>;

class Workers {
 public:
  // `events.on_ended` is called once, when the last worker ends. Throws std::system_error.
  Workers(std::size_t count, const EchoSettings& settings, const WorkerLogs& logs,
          const WorkerEvents& events);
  // Ends running workers immediately, and waits for their threads.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // All workers accept from the socket, or none if it throws (worker.hpp).
  void listen(const std::shared_ptr<const sys::ListenSocket>& socket);
  // Gives the sockets to the workers in turn, beginning with worker number `first`; worker 0
  // follows the last one. If it throws, no worker has any of them.
  void listen(const DatagramSockets& sockets, std::size_t first);
  // Says on which ports this daemon serves UDP (datagram_guard.hpp). Call it before start().
  void set_datagram_ports(std::vector<std::uint16_t> ports) noexcept {
    shared_->datagram_ports = std::move(ports);
  }
  // As for one worker (worker.hpp).
  void start();
  void apply(const EchoSettings& settings) noexcept;
  void drain() noexcept;
  void abort_connections(CloseReason reason) noexcept;
  // Parks all (worker.hpp). `events.on_parked` is called for each worker once it is parked.
  void park() noexcept;
  void unpark() noexcept;
  [[nodiscard]] bool are_parked() const noexcept;
  // Whether all threads serve. `events.on_serving` is called for each.
  [[nodiscard]] bool are_serving() const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
  [[nodiscard]] Worker& at(std::size_t number) noexcept { return *workers_[number]; }

  // Wakes all workers except `stuck`, which makes no turns, so that they poll the accept queues:
  // the kernel may have woken only `stuck` for a client.
  void wake_others_to_accept(std::size_t stuck) noexcept;

  // Sums over all workers. Every connection that is counted as closed is also counted as accepted.
  [[nodiscard]] std::array<std::uint64_t, kCounters> counters() const noexcept;
  [[nodiscard]] std::uint64_t buffered_bytes() const noexcept {
    return sum([](const Worker& worker) { return worker.buffered_bytes(); });
  }
  [[nodiscard]] std::uint64_t stale_events() const noexcept {
    return sum([](const Worker& worker) { return worker.stale_events(); });
  }
  // Number of connections of the worker that has the most.
  [[nodiscard]] std::uint32_t most_connections() const noexcept;
  [[nodiscard]] std::uint32_t connections_of(std::size_t number) const noexcept {
    return shared_->admission.connections_of(number);
  }
  // Connections of an earlier program that were lost, because there was no memory for them.
  [[nodiscard]] std::uint64_t not_resumed() const noexcept {
    return sum([](const Worker& worker) { return worker.not_resumed(); });
  }
  // What they share to limit log lines.
  [[nodiscard]] LineLimits& line_limits() noexcept { return shared_->line_limits; }
  // Number of workers that have not ended.
  [[nodiscard]] std::size_t running() const noexcept { return running_.load(); }

 private:
  template <typename Value>
  [[nodiscard]] std::uint64_t sum(const Value& value_of) const noexcept {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) {
      total += value_of(*worker);
    }
    return total;
  }

  const std::unique_ptr<SharedState> shared_;
  std::atomic<std::size_t> running_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace echod
