#include "service/worker_watch.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace echod {

namespace {

// Much longer than any turn, even on a machine that swaps.
constexpr std::chrono::seconds kStuckAfter{6};

}  // namespace

WorkerWatch::WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log,
                         std::function<void()> on_checked)
    : loop_(loop),
      workers_(workers),
      log_(log),
      on_checked_(std::move(on_checked)),
      timer_(loop.timers(), [this] { check_all(); }),
      watched_(workers.size()) {}

bool WorkerWatch::have_all_answered() const noexcept {
  return std::all_of(watched_.begin(), watched_.end(), [](const Watched& watched) {
    return watched.silent_for == std::chrono::seconds(0);
  });
}

bool WorkerWatch::are_only_stuck_left() const noexcept {
  bool is_any_left = false;
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    if (!workers_.at(number).has_ended()) {
      is_any_left = true;
      if (!is_stuck(number)) {
        return false;
      }
    }
  }
  return is_any_left;
}

void WorkerWatch::start() noexcept {
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    wake_up(number);
  }
  timer_.expire_at(loop_.now() + kInterval);
}

void WorkerWatch::check_all() noexcept {
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    check(number);
    wake_up(number);
  }
  on_checked_();
  timer_.expire_at(loop_.now() + kInterval);
}

void WorkerWatch::check(std::size_t number) noexcept {
  Watched& watched = watched_[number];
  const Worker& worker = workers_.at(number);
  if (worker.turns() != watched.turns || worker.has_ended()) {
    if (watched.is_stuck.exchange(false)) {
      log_.warn("worker {} answers again after {} s", number, watched.silent_for.count());
    }
    watched.silent_for = std::chrono::seconds(0);
    return;
  }
  watched.silent_for += kInterval;
  workers_.wake_others_to_accept(number);
  if (watched.silent_for == kStuckAfter) {
    watched.is_stuck.store(true);
    ++stalls_;
    log_.error("worker {} has not answered for {} s: its {} connections are stalled{}", number,
               watched.silent_for.count(), workers_.connections_of(number),
               watched_.size() > 1 ? "; the other workers continue to serve" : "");
  }
}

void WorkerWatch::wake_up(std::size_t number) noexcept {
  watched_[number].turns = workers_.at(number).turns();
  workers_.at(number).probe();
}

}  // namespace echod
