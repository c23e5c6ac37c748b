// Decides which reads of a worker are timed: one of `interval` on average. The distances are
// random. With a fixed distance, connections that take turns in a fixed order could be timed always
// or never.
//
// Thread-safety: none.
#pragma once

#include <cstdint>

namespace echod {

class ReadSampling {
 public:
  // 1: every read; 0: none.
  void set_interval(std::uint32_t reads) noexcept {
    interval_ = reads;
    left_ = distance();
  }

  // Counts a read. Returns whether to time it.
  [[nodiscard]] bool takes_next() noexcept {
    if (--left_ > 0) [[likely]] {
      return false;
    }
    left_ = distance();
    return interval_ > 0;
  }

 private:
  // 1 to 2 * interval - 1, each as likely as the others.
  [[nodiscard]] std::uint32_t distance() noexcept {
    if (interval_ == 0) {
      return UINT32_MAX;
    }
    // Xorshift (Marsaglia 2003).
    random_ ^= random_ << 13U;
    random_ ^= random_ >> 17U;
    random_ ^= random_ << 5U;
    const std::uint64_t distances = 2 * std::uint64_t{interval_} - 1;
    return 1 + static_cast<std::uint32_t>((random_ * distances) >> 32U);
  }

  std::uint32_t left_ = 1;
  std::uint32_t interval_ = 0;
  std::uint32_t random_ = 2463534242;  // Any value but 0.
};

}  // namespace echod
