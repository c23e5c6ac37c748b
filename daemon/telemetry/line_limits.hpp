// Limits the log lines about connections of all workers together: a number of lines in a second
// about single connections, and one line a minute of each other kind.
//
// Thread-safety: any thread. Takes a lock, so ask only if the line would be written.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "sys/clock.hpp"

namespace echod {

class LineLimits {
 public:
  struct Verdict {
    bool admits = false;
    std::uint64_t suppressed = 0;      // Lines suppressed earlier; the caller must log the number.
    bool is_first_suppressed = false;  // In this second: the caller reports at its end.
    sys::TimePoint end_of_second{};
  };

  // 0 means no limit.
  void set_per_second(std::uint32_t lines) noexcept;
  [[nodiscard]] std::uint32_t per_second() noexcept;

  // Whether one more line about a single connection may be written.
  [[nodiscard]] Verdict admit(sys::TimePoint now) noexcept;
  // Returns how many lines were suppressed since admit() or this function last returned a number.
  [[nodiscard]] std::uint64_t fetch_suppressed() noexcept;

  enum class RareLine : std::uint8_t {
    full,
    resources,
    emptying,
    accept_failed,
    register_failed,
    datagrams_failed
  };
  // Whether a line of this kind may be written: the first one in a minute.
  [[nodiscard]] bool admits_rare(RareLine kind, sys::TimePoint now) noexcept;
  // Call it if the line that admits_rare() allowed could not be written: the next one is allowed.
  void readmit_rare(RareLine kind) noexcept;

  // Whether to log that clients no longer wait. Returns true once after a line of the kind `full`
  // or `resources`, as soon as a line of these kinds is allowed again. If it came earlier, a new
  // shortage could not be logged, and "accepting again" would stay the last line. Takes no lock.
  [[nodiscard]] bool admits_end_of_shortage(sys::TimePoint now) noexcept {
    return now >= shortage_silence_end_.load() && shortage_silence_end_.exchange(kNever) != kNever;
  }
  // Whether a shortage is logged and its end is not.
  [[nodiscard]] bool is_shortage_logged() const noexcept {
    return shortage_silence_end_.load() != kNever;
  }
  // An earlier program has logged a shortage: its end may be logged at once.
  void restore_shortage() noexcept { shortage_silence_end_.store({}); }

 private:
  static constexpr std::size_t kKinds = 6;
  static constexpr sys::TimePoint kNever = sys::TimePoint::max();

  // When the end of a shortage may be logged; kNever: no shortage is logged.
  std::atomic<sys::TimePoint> shortage_silence_end_{kNever};
  std::mutex mutex_;  // Guards all that follows.
  std::uint32_t per_second_ = 0;
  sys::TimePoint second_{};
  std::uint32_t lines_ = 0;
  std::uint64_t suppressed_ = 0;
  std::array<sys::TimePoint, kKinds> next_{};
  sys::TimePoint previous_silence_end_ = kNever;
};

}  // namespace echod
