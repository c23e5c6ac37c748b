#include "worker_watch.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace echod {

namespace {

// Far beyond any turn; a swapping machine may take seconds.
constexpr std::chrono::seconds kStuckAfter{6};

}  // namespace

WorkerWatch::WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log,
                         std::function<void()> on_looked)
    : loop_(loop),
      workers_(workers),
      log_(log),
      on_looked_(std::move(on_looked)),
      timer_(loop.timers(), [this] { look(); }),
      watched_(workers.size()) {}

bool WorkerWatch::all_answer() const noexcept {
  return std::all_of(watched_.begin(), watched_.end(), [](const Watched& watched) {
    return watched.silent == std::chrono::seconds(0);
  });
}

bool WorkerWatch::are_only_stuck_left() const noexcept {
  bool is_any_left = false;
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    if (!workers_.at(number).has_ended()) {
      is_any_left = true;
      if (watched_[number].silent < kStuckAfter) {
        return false;
      }
    }
  }
  return is_any_left;
}

void WorkerWatch::look() {
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    look_at(number);
  }
  on_looked_();
  timer_.expire_at(loop_.now() + kInterval);
}

void WorkerWatch::look_at(std::size_t number) {
  Watched& watched = watched_[number];
  Worker& worker = workers_.at(number);
  const bool answers = worker.answers() == watched.asked;
  if (answers || worker.has_ended()) {
    if (watched.silent >= kStuckAfter) {
      log_.warn("worker {} answers again after {} s", number, watched.silent.count());
    }
    watched.silent = std::chrono::seconds(0);
  } else {
    watched.silent += kInterval;
    workers_.relieve(number, loop_.now());
    if (watched.silent == kStuckAfter) {
      ++stalls_;
      log_.error("worker {} has not answered for {} s: its {} connections stand still{}", number,
                 watched.silent.count(), workers_.connections_of(number),
                 watched_.size() > 1 ? "; the others are served on" : "");
    }
  }
  if (answers) {
    ++watched.asked;
    worker.ask();
  }
}

}  // namespace echod
