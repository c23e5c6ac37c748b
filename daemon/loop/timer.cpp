#include "timer.hpp"

#include <algorithm>
#include <utility>

namespace echod {

Timer::Timer(Timers& timers, std::function<void()> on_expiry)
    : timers_(timers), on_expiry_(std::move(on_expiry)) {}

void Timer::expire_at(sys::TimePoint deadline) {
  cancel();
  deadline_ = deadline;
  timers_.insert(*this);
  is_running_ = true;
}

void Timer::cancel() noexcept {
  if (std::exchange(is_running_, false)) {
    timers_.erase(*this);
  }
}

void Timers::insert(Timer& timer) {
  const auto place =
      std::lower_bound(running_.begin(), running_.end(), &timer,
                       [](const Timer* a, const Timer* b) { return a->deadline_ > b->deadline_; });
  running_.insert(place, &timer);
}

void Timers::erase(Timer& timer) noexcept {
  std::erase(running_, &timer);
}

void Timers::run_due(sys::TimePoint now) {
  // A timer that an expiry starts anew for a time already past would be found due again and again:
  // no more expiries run than were due at the beginning.
  auto due = std::count_if(running_.begin(), running_.end(),
                           [now](const Timer* timer) { return timer->deadline_ <= now; });
  for (; due > 0 && !running_.empty() && running_.back()->deadline_ <= now; --due) {
    Timer& timer = *running_.back();
    timer.cancel();
    timer.on_expiry_();
  }
}

}  // namespace echod
