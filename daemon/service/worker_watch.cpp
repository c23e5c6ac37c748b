#include "worker_watch.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>

namespace echod {

namespace {

constexpr std::chrono::seconds kInterval{2};
constexpr std::chrono::seconds kStuckAfter{
    6};  // Far beyond any turn; a swapping machine may take seconds.

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
    if (watched.silent >= kStuckAfter) {
      log_.warn("worker {} answers again after {} s", number, watched.silent.count());
    }
    watched.silent = std::chrono::seconds(0);
    ++watched.asked;
    workers_.at(number).ask();
    return;
  }
  watched.silent += kInterval;
  relieve(number);
  if (watched.silent == kStuckAfter) {
    ++stalls_;
    log_.error(
        "worker {} has not answered for {} s: its {} connections stand still; the others are "
        "served on",
        number, watched.silent.count(), workers_.connections_of(number));
  }
}

// Whoever was given to it just before it got stuck is served by a worker that answers.
void WorkerWatch::relieve(std::size_t number) {
  const auto prompt = std::find_if(watched_.begin(), watched_.end(), [](const Watched& other) {
    return other.silent == std::chrono::seconds(0);
  });
  if (prompt != watched_.end()) {
    workers_.relieve(number, static_cast<std::size_t>(prompt - watched_.begin()), loop_.now());
  }
}

}  // namespace echod
