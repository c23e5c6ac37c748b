// How many lines about connections may be logged: so many in a second about single ones, and one a
// minute of each kind about accepting, from all workers together.
//
// Thread-safety: any thread. Takes a lock; ask only when the line would be written.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "clock.hpp"

namespace echod {

class LineLimits {
 public:
  struct Verdict {
    bool admits = false;
    std::uint64_t left_out = 0;      // In the second before, which is over: to be reported.
    bool is_first_left_out = false;  // Of this second: somebody has to report at its end.
    sys::TimePoint end_of_second{};
  };

  // 0: no limit.
  void set_per_second(std::uint32_t lines) noexcept;
  [[nodiscard]] std::uint32_t per_second() noexcept;

  // Whether one more line about a single connection is admitted.
  [[nodiscard]] Verdict line(sys::TimePoint now) noexcept;
  // How many were left out since this was last said, by line() or by this.
  [[nodiscard]] std::uint64_t take_left_out() noexcept;

  enum class Seldom : std::uint8_t { full, resources, emptying, accept_failed, register_failed };
  // Whether a line of this kind is admitted: the first in a minute.
  [[nodiscard]] bool admits(Seldom kind, sys::TimePoint now) noexcept;
  // The line that was admitted last was not written: the next of this kind is the first again.
  void readmit(Seldom kind) noexcept;

  // Whether a line is admitted that says that clients need not wait any more: one, after a line of
  // the kind full or resources, and not before the next of these would be admitted. So the last
  // that was told is what is. Takes no lock.
  [[nodiscard]] bool admits_end_of_shortage(sys::TimePoint now) noexcept {
    return now >= shortage_told_until_.load() && shortage_told_until_.exchange(kNever) != kNever;
  }

 private:
  static constexpr std::size_t kKinds = 5;
  static constexpr sys::TimePoint kNever = sys::TimePoint::max();

  std::atomic<sys::TimePoint> shortage_told_until_{kNever};
  std::mutex mutex_;  // Guards all that follows.
  std::uint32_t per_second_ = 0;
  sys::TimePoint second_{};
  std::uint32_t lines_ = 0;
  std::uint64_t left_out_ = 0;
  std::array<sys::TimePoint, kKinds> next_{};
};

}  // namespace echod
