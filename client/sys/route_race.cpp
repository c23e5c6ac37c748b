#include "client/sys/route_race.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

class Race {
 public:
  Race(std::span<const Route> routes, Duration timeout, const BeginAttempt& begin)
      : routes_(routes), timeout_(timeout), begin_(begin) {
    result_.errors.resize(routes.size());
  }

  RaceResult run() {
    while (!result_.winner && (next_ < routes_.size() || !running_.empty())) {
      const TimePoint now = MonotonicClock::now();
      if (next_ < routes_.size() && (running_.empty() || now >= next_begins_)) {
        begin_next(now);
      } else {
        wait();
      }
    }
    return std::move(result_);
  }

 private:
  struct Running {
    std::size_t route;
    TimePoint deadline;
    std::unique_ptr<RouteAttempt> attempt;  // Null if it has failed.
    std::size_t first_polled = 0;
  };

  void begin_next(TimePoint now) {
    const std::size_t route = next_++;
    if (auto attempt = begin_(routes_[route], result_.errors[route])) {
      running_.push_back(
          {.route = route, .deadline = now + timeout_, .attempt = std::move(attempt)});
      next_begins_ = now + kAttemptDelay;
    }
  }

  // Waits until something is ready or due, and advances all attempts.
  void wait() {
    std::vector<pollfd> polled;
    TimePoint end = next_ < routes_.size() ? next_begins_ : TimePoint::max();
    for (Running& running : running_) {
      running.first_polled = polled.size();
      running.attempt->append_polled(polled);
      end = std::min({end, running.deadline, running.attempt->due()});
    }
    (void)wait_ready(polled, end);  // On failure no descriptor is ready.
    const TimePoint now = MonotonicClock::now();
    for (std::size_t i = 0; i < running_.size() && !result_.winner; ++i) {
      advance(running_[i], std::span(polled).subspan(running_[i].first_polled), now);
    }
    std::erase_if(running_, [](const Running& running) { return !running.attempt; });
  }

  void advance(Running& running, std::span<const pollfd> polled, TimePoint now) {
    int error = running.attempt->advance(polled, now);
    if (error == EINPROGRESS && now < running.deadline) {
      return;
    }
    error = error == EINPROGRESS ? ETIMEDOUT : error;
    result_.errors[running.route] = error;
    if (error == 0) {
      result_.winner = running.route;
    } else {
      running.attempt.reset();
      next_begins_ = now;  // Do not wait after a failure.
    }
  }

  std::span<const Route> routes_;
  Duration timeout_;
  const BeginAttempt& begin_;
  std::size_t next_ = 0;
  TimePoint next_begins_{};
  std::vector<Running> running_;
  RaceResult result_;
};

}  // namespace

RaceResult race_routes(std::span<const Route> routes, Duration timeout, const BeginAttempt& begin) {
  return Race(routes, timeout, begin).run();
}

}  // namespace echod::sys
