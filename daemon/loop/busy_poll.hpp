// Whether a loop looks for events for a while before it sleeps. Waking a sleeping thread, on a
// sleeping core, takes longer than an echo does; so when the next message is about to come, looking
// is quicker, and when it is not, looking is a waste.
//
// What is about to come nobody knows: looking is tried. When nothing came in the time, the next
// sleep comes without it, then the next 2, 4, ... up to 64 do; when something came, none do. So
// dense traffic is looked for always, and sparse traffic in one of 65 cases.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <chrono>

#include "sys/clock.hpp"

namespace echod {

class BusyPoll {
 public:
  // 0: never look.
  void set_time(sys::Duration time) noexcept {
    time_ = time;
    pause_ = 0;
    left_of_pause_ = 0;
  }
  [[nodiscard]] sys::Duration time() const noexcept { return time_; }

  // Before each sleep: whether to look first.
  [[nodiscard]] bool is_due() noexcept {
    if (time_ == sys::Duration::zero()) {
      return false;
    }
    if (left_of_pause_ > 0) {
      --left_of_pause_;
      return false;
    }
    return true;
  }
  void found_something() noexcept { pause_ = 0; }
  void found_nothing() noexcept {
    constexpr unsigned kLongestPause = 64;
    pause_ = std::clamp(2 * pause_, 1U, kLongestPause);
    left_of_pause_ = pause_;
  }

 private:
  sys::Duration time_{0};
  unsigned pause_ = 0;  // Sleeps without looking, after looking in vain the last time.
  unsigned left_of_pause_ = 0;
};

}  // namespace echod
