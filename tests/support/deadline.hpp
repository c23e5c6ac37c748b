// How long tests wait, in one place. Nothing here measures speed: a test that passes never waits
// for a deadline, so it is generous enough for sanitizers, valgrind and a loaded machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace echod::test {

inline constexpr std::chrono::seconds kPatience{60};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// How late may come what is promised at once. Generous for a loaded machine, and far below what
// would bring it anyway: sweeps and housekeeping come every 10 s. Count turns or messages where you
// can.
inline constexpr std::chrono::milliseconds kAtOnce{kSanitized ? 6000 : 2000};

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds patience = kPatience)
      : end_(std::chrono::steady_clock::now() + patience) {}

  [[nodiscard]] bool has_passed() const { return std::chrono::steady_clock::now() >= end_; }
  // For poll(2): at least 0.
  [[nodiscard]] int left_ms() const {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

// Asks again and again, with pauses that grow to 20 ms, until `is_true` or the deadline; returns
// the last answer. For state that has no descriptor to wait on, such as files under /proc.
template <typename Condition>
[[nodiscard]] bool eventually(Condition is_true, const Deadline& deadline = Deadline()) {
  auto pause = std::chrono::milliseconds(1);
  for (;;) {
    if (is_true()) {
      return true;
    }
    if (deadline.has_passed()) {
      return false;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(20));
  }
}

// As above; a deadline that passes ends the test case.
template <typename Condition>
void wait_until(const std::string& what, Condition is_true) {
  if (!eventually(is_true)) {
    throw std::runtime_error("in vain: waited for " + what);
  }
}

}  // namespace echod::test
