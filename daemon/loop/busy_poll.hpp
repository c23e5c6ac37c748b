// Decides whether a loop spins (polls for events without blocking) before it sleeps.
//
// Waking a sleeping thread on a sleeping core takes longer than an echo. So spinning is faster if
// the next message is about to come, and a waste if it is not. The loop cannot know, so it tries. A
// spin that finds no event doubles the number of sleeps without a spin that follow: 1, 2, 4, ...
// 64. A spin that finds an event resets the number to 0. So with dense traffic the loop spins
// before every sleep, and with sparse traffic before one sleep in 65.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <chrono>

#include "sys/clock.hpp"

namespace echod {

class BusyPoll {
 public:
  // How long a spin lasts at most; 0: never spin.
  void set_time(sys::Duration time) noexcept {
    time_ = time;
    skips_ = 0;
    skips_left_ = 0;
  }
  [[nodiscard]] sys::Duration time() const noexcept { return time_; }

  // Must be called once before each sleep. Returns whether to spin first.
  [[nodiscard]] bool should_spin() noexcept {
    if (time_ == sys::Duration::zero()) {
      return false;
    }
    if (skips_left_ > 0) {
      --skips_left_;
      return false;
    }
    return true;
  }
  // The result of the spin.
  void found_something() noexcept { skips_ = 0; }
  void found_nothing() noexcept {
    constexpr unsigned kMaxSkips = 64;
    skips_ = std::clamp(2 * skips_, 1U, kMaxSkips);
    skips_left_ = skips_;
  }

 private:
  sys::Duration time_{0};
  unsigned skips_ = 0;  // Sleeps without a spin after the last spin; 0 if it found something.
  unsigned skips_left_ = 0;
};

}  // namespace echod
