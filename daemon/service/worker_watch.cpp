#include "worker_watch.hpp"

#include <spdlog/logger.h>

#include <chrono>

namespace echod {

namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr unsigned kStuckAfter_s = 5;  // Far beyond any turn; a swapping machine may take a second.

}  // namespace

WorkerWatch::WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log)
    : loop_(loop),
      workers_(workers),
      log_(log),
      timer_(loop.timers(), [this] { look(); }),
      watched_(workers.size()) {}

void WorkerWatch::start() {
  look();
}

void WorkerWatch::look() {
  for (std::size_t number = 0; number < watched_.size(); ++number) {
    look_at(number);
  }
  timer_.expire_at(loop_.now() + kInterval);
}

void WorkerWatch::look_at(std::size_t number) {
  Watched& watched = watched_[number];
  if (workers_.at(number).answers() == watched.asked) {
    if (watched.silent_s >= kStuckAfter_s) {
      log_.warn("worker {} answers again after {} s", number, watched.silent_s);
    }
    watched.silent_s = 0;
    ++watched.asked;
    workers_.at(number).ask();
  } else if (++watched.silent_s == kStuckAfter_s) {
    ++stalls_;
    log_.error(
        "worker {} has not answered for {} s: its {} connections stand still; the others are "
        "served on",
        number, watched.silent_s, workers_.connections_of(number));
  }
}

}  // namespace echod
