// Counts delays in fixed ranges, as a Prometheus histogram does: one for each worker.
//
// Thread-safety: only the worker that owns it adds; any thread may read at any time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "telemetry/single_writer_count.hpp"

namespace echod {

class DelayHistogram {
 public:
  using Delay = std::chrono::nanoseconds;

  // Upper bounds of the ranges, inclusive. One more range has no bound.
  static constexpr auto kBounds = std::to_array<Delay>({
      std::chrono::microseconds(5),
      std::chrono::microseconds(10),
      std::chrono::microseconds(25),
      std::chrono::microseconds(50),
      std::chrono::microseconds(100),
      std::chrono::microseconds(250),
      std::chrono::microseconds(500),
      std::chrono::milliseconds(1),
      std::chrono::microseconds(2500),
      std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),
      std::chrono::milliseconds(25),
      std::chrono::milliseconds(50),
      std::chrono::milliseconds(100),
      std::chrono::milliseconds(250),
      std::chrono::milliseconds(500),
      std::chrono::seconds(1),
  });

  struct Values {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};  // Of each range; not cumulative.
    Delay sum{0};

    Values& operator+=(const Values& other) noexcept {
      for (std::size_t i = 0; i < counts.size(); ++i) {
        counts[i] += other.counts[i];
      }
      sum += other.sum;
      return *this;
    }
  };

  void add(Delay delay) noexcept {
    const auto* const bound = std::lower_bound(kBounds.begin(), kBounds.end(), delay);
    counts_[static_cast<std::size_t>(bound - kBounds.begin())].add();
    sum_ns_.add(static_cast<std::uint64_t>(delay.count()));
  }

  // Adds what another histogram counted.
  void restore(const Values& values) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i].add(values.counts[i]);
    }
    sum_ns_.add(static_cast<std::uint64_t>(values.sum.count()));
  }

  [[nodiscard]] Values values() const noexcept {
    Values values;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      values.counts[i] = counts_[i].get();
    }
    values.sum = Delay(static_cast<Delay::rep>(sum_ns_.get()));
    return values;
  }

 private:
  std::array<SingleWriterCount, kBounds.size() + 1> counts_;
  SingleWriterCount sum_ns_;
};

}  // namespace echod
