#include "echo/workers.hpp"

#include <algorithm>

namespace echod {

namespace {

// Calls `add` for each number below `count`. If a call throws, calls `remove` for each number that
// was added.
template <typename Add, typename Remove>
void all_or_none(std::size_t count, Add add, Remove remove) {
  std::size_t added = 0;
  try {
    for (; added < count; ++added) {
      add(added);
    }
  } catch (...) {
    while (added > 0) {
      remove(--added);
    }
    throw;
  }
}

}  // namespace

Workers::Workers(std::size_t count, const EchoSettings& settings, const WorkerLogs& logs,
                 const WorkerEvents& events)
    : shared_(std::make_unique<SharedState>(settings, count)), running_(count) {
  const WorkerEvents of_each{.on_ended =
                                 [this, on_last_ended = events.on_ended] {
                                   if (running_.fetch_sub(1) == 1) {
                                     on_last_ended();
                                   }
                                 },
                             .on_listener_lost = events.on_listener_lost,
                             .on_parked = events.on_parked,
                             .on_serving = events.on_serving};
  for (std::size_t number = 0; number < count; ++number) {
    workers_.push_back(std::make_unique<Worker>(settings, logs, *shared_, number, of_each));
  }
}

// Ends all threads first: a worker may wake any other.
Workers::~Workers() {
  for (const auto& worker : workers_) {
    worker->end();
  }
}

void Workers::listen(const std::shared_ptr<const sys::ListenSocket>& socket) {
  all_or_none(
      size(), [&](std::size_t i) { at(i).listen(socket); },
      [this](std::size_t i) { at(i).unlisten_stream(); });
}

void Workers::listen(const DatagramSockets& sockets, std::size_t first) {
  const auto worker_of = [&](std::size_t i) -> Worker& { return at((first + i) % size()); };
  all_or_none(
      sockets.size(), [&](std::size_t i) { worker_of(i).listen(sockets[i]); },
      [&](std::size_t i) { worker_of(i).unlisten_datagram(); });
}

void Workers::start() {
  for (const auto& worker : workers_) {
    worker->start();
  }
}

void Workers::apply(const EchoSettings& settings) noexcept {
  shared_->apply(settings);
  for (const auto& worker : workers_) {
    worker->apply(settings);
  }
}

void Workers::drain() noexcept {
  for (const auto& worker : workers_) {
    worker->drain();
  }
}

void Workers::abort_connections(CloseReason reason) noexcept {
  for (const auto& worker : workers_) {
    worker->abort_connections(reason);
  }
}

void Workers::park() noexcept {
  for (const auto& worker : workers_) {
    worker->park();
  }
}

void Workers::unpark() noexcept {
  for (const auto& worker : workers_) {
    worker->unpark();
  }
}

bool Workers::are_parked() const noexcept {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->is_parked(); });
}

bool Workers::are_serving() const noexcept {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->is_serving(); });
}

void Workers::wake_others_to_accept(std::size_t stuck) noexcept {
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    if (number != stuck) {
      (void)shared_->admission.wake(number);
    }
  }
}

std::array<std::uint64_t, kCounters> Workers::counters() const noexcept {
  std::array<std::uint64_t, kCounters> sums{};
  // Backwards, since a connection is accepted before it is closed.
  for (std::size_t i = kCounters; i-- > 0;) {
    sums.at(i) =
        sum([i](const Worker& worker) { return worker.counters().get(static_cast<Counter>(i)); });
  }
  return sums;
}

std::uint32_t Workers::most_connections() const noexcept {
  std::uint32_t most = 0;
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    most = std::max(most, connections_of(number));
  }
  return most;
}

}  // namespace echod
