#include "client/sys/connect_race.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

class Race {
 public:
  Race(std::span<const Route> routes, Duration timeout) : routes_(routes), timeout_(timeout) {
    result_.errors.resize(routes.size());
  }

  RaceResult run() {
    while (!result_.winner && (next_ < routes_.size() || !attempts_.empty())) {
      const TimePoint now = MonotonicClock::now();
      if (next_ < routes_.size() && (attempts_.empty() || now >= next_begins_)) {
        begin_next(now);
      } else {
        wait();
      }
    }
    return std::move(result_);
  }

 private:
  struct Attempt {
    std::size_t route;
    UniqueFd fd;
    TimePoint deadline;
  };

  void begin_next(TimePoint now) {
    const std::size_t route = next_++;
    ConnectResult opened = open_connection(routes_[route].server, routes_[route].source);
    if (opened.fd.is_open()) {
      attempts_.push_back({.route = route, .fd = std::move(opened.fd), .deadline = now + timeout_});
      next_begins_ = now + kAttemptDelay;
    } else {
      result_.errors[route] = opened.error;
    }
  }

  // Waits until an attempt has completed or timed out, or until the next attempt is due.
  void wait() {
    std::vector<pollfd> polled;
    TimePoint end = next_ < routes_.size() ? next_begins_ : TimePoint::max();
    for (const Attempt& attempt : attempts_) {
      polled.push_back({.fd = attempt.fd.get(), .events = POLLOUT, .revents = 0});
      end = std::min(end, attempt.deadline);
    }
    (void)wait_ready(polled, end);  // On failure no attempt is ready.
    const TimePoint now = MonotonicClock::now();
    for (std::size_t i = 0; i < attempts_.size() && !result_.winner; ++i) {
      finish_attempt(attempts_[i], polled[i].revents != 0, now);
    }
    std::erase_if(attempts_, [](const Attempt& attempt) { return !attempt.fd.is_open(); });
  }

  // Records whether the attempt has won or why it failed. Closes it if it failed. No-op if the
  // attempt has neither completed nor timed out.
  void finish_attempt(Attempt& attempt, bool is_finished, TimePoint now) {
    if (!is_finished && now < attempt.deadline) {
      return;
    }
    const int error = is_finished ? connect_error(attempt.fd.get()) : ETIMEDOUT;
    result_.errors[attempt.route] = error;
    if (error == 0) {
      result_.winner = attempt.route;
    } else {
      attempt.fd.reset();
      next_begins_ = now;  // Do not wait after a failure.
    }
  }

  std::span<const Route> routes_;
  Duration timeout_;
  std::size_t next_ = 0;
  TimePoint next_begins_{};
  std::vector<Attempt> attempts_;
  RaceResult result_;
};

}  // namespace

RaceResult connect_to_first(std::span<const Route> routes, Duration timeout) {
  return Race(routes, timeout).run();
}

}  // namespace echod::sys
