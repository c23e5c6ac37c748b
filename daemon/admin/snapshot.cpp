#include "admin/snapshot.hpp"

#include <cstddef>
#include <numeric>

namespace echod {

std::string_view name_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::starting:
      return "starting";
    case Phase::serving:
      return "serving";
    case Phase::draining:
      return "draining";
  }
  return "";
}

CounterValues total_counters(const Snapshot& snapshot) noexcept {
  CounterValues totals{};
  for (const WorkerSnapshot& worker : snapshot.workers) {
    for (std::size_t i = 0; i < totals.size(); ++i) {
      totals[i] += worker.counters[i];
    }
  }
  return totals;
}

DelayHistogram::Values total_server_delay(const Snapshot& snapshot) noexcept {
  DelayHistogram::Values total;
  for (const WorkerSnapshot& worker : snapshot.workers) {
    total += worker.server_delay;
  }
  return total;
}

std::uint64_t open_connections(const WorkerSnapshot& worker) noexcept {
  return std::accumulate(worker.connections.begin(), worker.connections.end(), std::uint64_t{0});
}

std::uint64_t open_connections(const Snapshot& snapshot) noexcept {
  return std::accumulate(snapshot.workers.begin(), snapshot.workers.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const WorkerSnapshot& worker) {
                           return sum + open_connections(worker);
                         });
}

std::uint64_t buffered_bytes(const Snapshot& snapshot) noexcept {
  return std::accumulate(
      snapshot.workers.begin(), snapshot.workers.end(), std::uint64_t{0},
      [](std::uint64_t sum, const WorkerSnapshot& worker) { return sum + worker.buffered_bytes; });
}

std::uint64_t connections_of_listener(const WorkerSnapshot& worker, std::size_t listener) noexcept {
  return listener < worker.connections.size() ? worker.connections[listener] : 0;
}

std::uint64_t connections_of_listener(const Snapshot& snapshot, std::size_t listener) noexcept {
  return std::accumulate(snapshot.workers.begin(), snapshot.workers.end(), std::uint64_t{0},
                         [listener](std::uint64_t sum, const WorkerSnapshot& worker) {
                           return sum + connections_of_listener(worker, listener);
                         });
}

}  // namespace echod
