// Computes when the messages of an open loop are due. They are due at a given rate, however slow
// the server is. Latency counts from when a message is due, so if the server stalls, the latency of
// every message that becomes due meanwhile includes the wait. Thread-safety: a value type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "client/stream/mix.hpp"
#include "sys/clock.hpp"

namespace echod::client {

enum class Arrivals : std::uint8_t {
  constant,  // All gaps between messages are equal.
  poisson,   // Gaps are exponentially distributed, as with very many independent users.
};

// The part of a schedule that one worker handles. `all_connections` send in turns. The worker has
// `connections` of them: number `first` and every `step`th after it.
struct ScheduleShare {
  std::uint64_t first = 0;
  std::uint64_t step = 1;
  std::uint64_t connections = 1;
  std::uint64_t all_connections = 1;
};

// The due times of one worker's messages, in order. Constant arrivals do not drift.
class Schedule {
 public:
  Schedule() noexcept = default;
  // `rate_per_s` is the rate of all workers together, and above 0. With `poisson_seed`, arrivals
  // are Poisson, and independent of those with other seeds.
  Schedule(sys::TimePoint start, double rate_per_s, const ScheduleShare& part = {},
           std::optional<std::uint64_t> poisson_seed = std::nullopt) noexcept
      : start_(start), interval_ns_(1e9 / rate_per_s), share_(part), seed_(poisson_seed) {
    begin();
  }

  // Changes the rate from `moment` on. Must be called in the order of the moments, and before
  // skip().
  void change_rate(sys::TimePoint moment, double rate_per_s) {
    changes_.push_back({.moment = moment, .interval_ns = 1e9 / rate_per_s});
  }

  // When the next message is due.
  [[nodiscard]] sys::TimePoint due() const noexcept { return due_; }

  // Skips the next `messages` messages. To skip more than one, `messages` must not be above a
  // result of count_before(), so that no skipped message comes after the next change of the rate.
  // If arrivals are Poisson, skipping more than one moves on by the mean gap for each.
  void skip(std::uint64_t messages = 1) noexcept {
    number_ += messages;
    if (seed_) {
      offset_ns_ += messages == 1 ? gap_ns() : static_cast<double>(messages) * interval_ns_;
    }
    due_ = at(offset_ns());
    while (changed_ < changes_.size() && due_ >= changes_[changed_].moment) {
      start_ = changes_[changed_].moment;
      interval_ns_ = changes_[changed_].interval_ns;
      ++changed_;
      begin();
    }
  }

  // How many messages, from the next one on, are due before `moment` and before the next change of
  // the rate. If arrivals are Poisson, this is an estimate; it is 0 only if no message is due.
  [[nodiscard]] std::uint64_t count_before(sys::TimePoint moment) const noexcept {
    if (changed_ < changes_.size()) {
      moment = std::min(moment, changes_[changed_].moment);
    }
    if (seed_) {
      const auto left = static_cast<double>((moment - due_).count());
      return left > 0 ? 1 + static_cast<std::uint64_t>(left / interval_ns_) : 0;
    }
    std::uint64_t fewest = number_;
    std::uint64_t most = std::uint64_t{1} << 62U;
    while (fewest < most) {
      const std::uint64_t middle = fewest + (most - fewest) / 2;
      at(constant_offset_ns(middle)) < moment ? fewest = middle + 1 : most = middle;
    }
    return fewest - number_;
  }

 private:
  struct Change {
    sys::TimePoint moment;
    double interval_ns;
  };

  // Computes the first message from start_ on. A random gap drawn at the previous rate is dropped,
  // because exponential gaps have no memory.
  void begin() noexcept {
    if (seed_) {
      interval_ns_ *=
          static_cast<double>(share_.all_connections) / static_cast<double>(share_.connections);
      ++number_;
      offset_ns_ = gap_ns();
    } else {
      number_ = 0;
    }
    due_ = at(offset_ns());
  }
  [[nodiscard]] sys::TimePoint at(double offset_ns) const noexcept {
    constexpr double kFarthestNs = 1e18;  // Thirty years: never, but no overflow.
    return start_ + sys::Duration(std::llround(std::min(offset_ns, kFarthestNs)));
  }
  [[nodiscard]] double offset_ns() const noexcept {
    return seed_ ? offset_ns_ : constant_offset_ns(number_);
  }
  [[nodiscard]] double constant_offset_ns(std::uint64_t number) const noexcept {
    const std::uint64_t turn = number / share_.connections;
    const std::uint64_t connection = share_.first + number % share_.connections * share_.step;
    return (static_cast<double>(turn) * static_cast<double>(share_.all_connections) +
            static_cast<double>(connection)) *
           interval_ns_;
  }
  // The random gap before the next message. A hash, so a seed gives the same gaps on every machine.
  [[nodiscard]] double gap_ns() const noexcept {
    constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
    constexpr int kBitsTooMany = 11;  // A double has 53.
    const std::uint64_t bits = mix(mix(*seed_) + number_ * kStep) >> kBitsTooMany;
    return -std::log1p(-std::ldexp(static_cast<double>(bits), kBitsTooMany - 64)) * interval_ns_;
  }

  sys::TimePoint start_{};
  // Constant: between two messages of all workers. Poisson: mean between two of this worker.
  double interval_ns_ = 1;
  ScheduleShare share_;
  std::optional<std::uint64_t> seed_;
  std::vector<Change> changes_;
  std::size_t changed_ = 0;   // How many changes have been applied.
  std::uint64_t number_ = 0;  // Constant: the next message, from start_. Poisson: the next gap.
  double offset_ns_ = 0;      // Poisson: from start_ to the next message.
  sys::TimePoint due_{};
};

}  // namespace echod::client
