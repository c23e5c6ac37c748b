#include "service/restored_workers.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace echod {

namespace {

constexpr std::string_view kTurns = "turns";  // Among the counters.

WorkerState state_of(const Worker& worker) {
  WorkerState state;
  for (std::size_t i = kCounters; i-- > 0;) {  // Backwards: see Workers::counters().
    const auto counter = static_cast<Counter>(i);
    state.counters.push_back(
        {.name = std::string(name_of(counter)), .value = worker.counters().get(counter)});
  }
  state.counters.push_back({.name = std::string(kTurns), .value = worker.turns()});
  const DelayHistogram::Values delay = worker.server_delay();
  for (const auto bound : DelayHistogram::kBounds) {
    state.delay_bounds_ns.push_back(static_cast<std::uint64_t>(bound.count()));
  }
  state.delay_counts.assign(delay.counts.begin(), delay.counts.end());
  state.delay_sum_ns = static_cast<std::uint64_t>(delay.sum.count());
  for (std::size_t i = 0; i <= ListenerCounts::kRemoved; ++i) {
    state.accepted_by_listener.push_back(
        worker.listener_counts().total(static_cast<ListenerCounts::Listener>(i)));
  }
  state.stale_events = worker.stale_events();
  return state;
}

// Counters that this program does not have are dropped. A histogram with other bounds starts anew.
WorkerTotals totals_of(const WorkerState& state) noexcept {
  WorkerTotals totals;
  totals.stale_events = state.stale_events;
  totals.turns = count_of(state.counters, kTurns);
  for (std::size_t i = 0; i < kCounters; ++i) {
    totals.counters.at(i) = count_of(state.counters, name_of(static_cast<Counter>(i)));
  }
  const auto& bounds = DelayHistogram::kBounds;
  const bool has_same_bounds =
      std::equal(bounds.begin(), bounds.end(), state.delay_bounds_ns.begin(),
                 state.delay_bounds_ns.end(), [](DelayHistogram::Delay bound, std::uint64_t ns) {
                   return static_cast<std::uint64_t>(bound.count()) == ns;
                 });
  if (has_same_bounds && state.delay_counts.size() == totals.server_delay.counts.size()) {
    std::copy(state.delay_counts.begin(), state.delay_counts.end(),
              totals.server_delay.counts.begin());
    totals.server_delay.sum =
        DelayHistogram::Delay(static_cast<DelayHistogram::Delay::rep>(state.delay_sum_ns));
  }
  return totals;
}

}  // namespace

void visit_parked(Workers& workers, const std::function<void(const ParkedConnection&)>& visitor) {
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers.at(i).visit_parked(visitor);
  }
}

std::vector<WorkerState> states_of(Workers& workers) {
  std::vector<WorkerState> states;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    states.push_back(state_of(workers.at(i)));
  }
  return states;
}

void restore_workers(Workers& workers, const UpgradeState& state, const ListenerNumbers& listeners,
                     const std::shared_ptr<const void>& memory) {
  const auto& old_workers = state.service.workers;
  const bool is_same_number = old_workers.size() == workers.size();
  // Open connections of each old worker, by listener.
  std::vector<std::array<std::uint64_t, kMostListeners + 1>> open(old_workers.size());
  std::vector<std::vector<ParkedConnection>> resumed(workers.size());
  std::size_t next = 0;
  for (const ParkedConnection& connection : state.connections) {
    ++open[connection.worker][connection.listener];
    auto& of_worker = resumed[is_same_number ? connection.worker : next++ % workers.size()];
    of_worker.push_back(connection);
    of_worker.back().listener = listeners[connection.listener];
  }
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers.at(i).resume({.connections = std::move(resumed[i]), .memory = memory});
  }
  for (std::size_t i = 0; i < old_workers.size(); ++i) {
    Worker& worker = workers.at(is_same_number ? i : 0);
    worker.restore(totals_of(old_workers[i]));
    const auto& accepted = old_workers[i].accepted_by_listener;
    for (std::size_t l = 0; l < accepted.size() && l < listeners.size(); ++l) {
      worker.restore(listeners[l], accepted[l] - open[i][l]);
    }
  }
}

}  // namespace echod
