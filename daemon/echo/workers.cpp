#include "workers.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace echod {

Workers::Workers(std::size_t count, const EchoSettings& settings,
                 const std::shared_ptr<spdlog::logger>& logger, const WorkerEvents& events)
    : roster_(std::make_shared<Roster>(settings.max_connections, count)), running_(count) {
  const WorkerEvents of_each{.on_ended =
                                 [this, on_last_ended = events.on_ended] {
                                   if (running_.fetch_sub(1) == 1) {
                                     on_last_ended();
                                   }
                                 },
                             .on_listener_lost = events.on_listener_lost};
  for (std::size_t number = 0; number < count; ++number) {
    workers_.push_back(std::make_unique<Worker>(settings, logger, roster_, number, of_each));
  }
}

void Workers::listen(const std::shared_ptr<const sys::ListenSocket>& socket) {
  for (const auto& worker : workers_) {
    worker->listen(socket);
  }
}

void Workers::start() {
  for (const auto& worker : workers_) {
    worker->start();
  }
}

void Workers::make_room_to_post() {
  for (const auto& worker : workers_) {
    worker->make_room_to_post();
  }
}

std::vector<std::function<void()>> Workers::tasks_to_apply(const EchoSettings& settings) {
  std::vector<std::function<void()>> tasks;
  for (const auto& worker : workers_) {
    tasks.push_back(worker->task_to_apply(settings));
  }
  make_room_to_post();
  return tasks;
}

void Workers::post(std::vector<std::function<void()>> tasks) noexcept {
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    workers_[number]->post(std::move(tasks[number]));
  }
}

void Workers::drain() {
  make_room_to_post();
  for (const auto& worker : workers_) {
    worker->drain();
  }
}

void Workers::abort_connections(CloseReason reason) {
  make_room_to_post();
  for (const auto& worker : workers_) {
    worker->abort_connections(reason);
  }
}

void Workers::relieve(std::size_t late, sys::TimePoint now) {
  roster_->relieve(late, now);
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    if (number != late) {
      workers_[number]->look_around();
    }
  }
}

std::array<std::uint64_t, kCounters> Workers::counters() const noexcept {
  std::array<std::uint64_t, kCounters> sums{};
  // Backwards, since a connection is accepted before it is closed.
  for (std::size_t i = kCounters; i-- > 0;) {
    for (const auto& worker : workers_) {
      sums.at(i) += worker->counters().get(static_cast<Counter>(i));
    }
  }
  return sums;
}

std::uint64_t Workers::buffered_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->buffered_bytes();
  }
  return sum;
}

std::uint64_t Workers::stale_events() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->stale_events();
  }
  return sum;
}

std::uint32_t Workers::fullest() const noexcept {
  std::uint32_t most = 0;
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    most = std::max(most, roster_->connections_of(number));
  }
  return most;
}

}  // namespace echod
