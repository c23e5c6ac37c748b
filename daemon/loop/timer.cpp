#include "loop/timer.hpp"

#include <algorithm>
#include <utility>

namespace echod {

Timer::Timer(Timers& timers, std::function<void()> on_expiry)
    : timers_(timers), on_expiry_(std::move(on_expiry)) {
  timers_.reserve_one();
}

Timer::~Timer() {
  cancel();
  --timers_.timers_;
}

void Timer::expire_at(sys::TimePoint deadline) noexcept {
  cancel();
  deadline_ = deadline;
  timers_.insert(*this);
  is_running_ = true;
}

void Timer::expire_at_latest(sys::TimePoint deadline) noexcept {
  if (!is_running_ || deadline < deadline_) {
    expire_at(deadline);
  }
}

void Timer::cancel() noexcept {
  if (std::exchange(is_running_, false)) {
    timers_.erase(*this);
  }
}

void Timers::reserve_one() {
  running_.reserve(timers_ + 1);
  due_.reserve(timers_ + 1);
  ++timers_;
}

void Timers::insert(Timer& timer) noexcept {
  const auto position =
      std::lower_bound(running_.begin(), running_.end(), &timer,
                       [](const Timer* a, const Timer* b) { return a->deadline_ > b->deadline_; });
  running_.insert(position, &timer);
}

void Timers::erase(Timer& timer) noexcept {
  std::erase(running_, &timer);
  std::erase(due_, &timer);
}

void Timers::run_due(sys::TimePoint now) {
  const auto first_due = std::find_if(running_.begin(), running_.end(), [now](const Timer* timer) {
    return timer->deadline_ <= now;
  });
  due_.assign(first_due, running_.end());
  running_.erase(first_due, running_.end());
  while (!due_.empty()) {
    Timer& timer = *due_.back();
    timer.cancel();
    timer.on_expiry_();
  }
}

}  // namespace echod
