// When a connection last made progress, and how much the peer has yet to acknowledge.
//
// Progress is a byte that is received to be echoed, that is sent, or that the peer acknowledges.
// Acknowledgements cause no event, so they are asked for (SIOCOUTQ, tcp(7)) when a timeout is
// checked. Once everything is acknowledged the kernel is not asked again until more is sent: a
// connection at rest costs no system call.
//
// Thread-safety: none. Never blocks.
#pragma once

#include <chrono>
#include <cstdint>

#include "sys/clock.hpp"

namespace echod {

class Progress {
 public:
  static constexpr std::chrono::milliseconds kTick{10};  // Resolution of since().

  explicit Progress(sys::TimePoint now) noexcept : last_(ticks_of(now)) {}
  // Continues from the last_progress() and unacknowledged() of another Progress.
  Progress(std::chrono::milliseconds last, std::uint32_t unacknowledged) noexcept
      : last_(std::chrono::duration_cast<Ticks>(last)), unacknowledged_(unacknowledged) {}

  void note(sys::TimePoint now) noexcept { last_ = ticks_of(now); }
  // Bytes were sent, or the linger time begins.
  void note_sent(sys::TimePoint now) noexcept {
    note(now);
    unacknowledged_ = kNotAsked;
  }
  // Our FIN was sent. That is no progress, but the peer has to acknowledge it.
  void note_fin() noexcept { unacknowledged_ += unacknowledged_ == kNotAsked ? 0 : 1; }

  // Returns whether the peer has yet to acknowledge bytes or our FIN. Asks the kernel, and notes
  // progress if the peer has acknowledged bytes since the last call: a slow reader frees space in
  // the kernel's buffer long before EPOLLOUT is reported.
  [[nodiscard]] bool has_unacknowledged(int socket, sys::TimePoint now) noexcept;
  // The last result of has_unacknowledged(); true if bytes were sent since.
  [[nodiscard]] bool had_unacknowledged() const noexcept { return unacknowledged_ != 0; }

  // A time of CLOCK_MONOTONIC modulo 497 days, rounded down to kTick.
  [[nodiscard]] std::chrono::milliseconds last_progress() const noexcept { return last_; }
  [[nodiscard]] std::uint32_t unacknowledged() const noexcept { return unacknowledged_; }

  [[nodiscard]] std::chrono::milliseconds since(sys::TimePoint now) const noexcept {
    return ticks_of(now) - last_;
  }

 private:
  // Centiseconds since some time before the process started. Wraps around after 497 days, which
  // does not matter: only shorter differences are used.
  using Ticks = std::chrono::duration<std::uint32_t, std::centi>;
  static_assert(Ticks(1) == kTick);

  static constexpr std::uint32_t kNotAsked = UINT32_MAX;

  [[nodiscard]] static Ticks ticks_of(sys::TimePoint time) noexcept {
    return std::chrono::duration_cast<Ticks>(time.time_since_epoch());
  }

  Ticks last_;
  // Bytes that the peer had not acknowledged when the kernel was last asked; our FIN counts as one.
  std::uint32_t unacknowledged_ = 0;
};

}  // namespace echod
