// How long tests wait. No deadline measures speed: a test that passes does not wait for one. So
// deadlines are generous enough for sanitizers, valgrind and a loaded machine.
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

// How late an effect may come that is promised at once. It is generous for a loaded machine, and
// far below 10 s, the interval of the sweeps, which would cause the effect too. Prefer to count
// turns or messages.
inline constexpr std::chrono::milliseconds kAtOnce{kSanitized ? 6000 : 2000};

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds patience = kPatience)
      : end_(std::chrono::steady_clock::now() + patience) {}

  [[nodiscard]] bool has_passed() const { return std::chrono::steady_clock::now() >= end_; }
  // The timeout for poll(2); never negative.
  [[nodiscard]] int left_ms() const {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

// Calls `is_true` until it returns true or the deadline passes, with pauses of up to 20 ms. Returns
// the last result. For state that has no descriptor to wait on, such as files under /proc.
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

// As above, but throws if the deadline passes, which ends the test case.
template <typename Condition>
void wait_until(const std::string& what, Condition is_true) {
  if (!eventually(is_true)) {
    throw std::runtime_error("timed out waiting for " + what);
  }
}

}  // namespace echod::test
