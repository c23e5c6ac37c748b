// Remembers the last ten minutes, for the charts and the recent figures of the status page.
//
// A timer calls add() every kInterval. All memory is allocated by the constructor.
//
// Thread-safety: one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "admin/snapshot.hpp"

namespace echod {

class ConnectionHistory {
 public:
  static constexpr std::chrono::seconds kInterval{2};
  static constexpr std::chrono::seconds kLength = std::chrono::minutes(10);
  static constexpr auto kMostSamples = static_cast<std::size_t>(kLength / kInterval) + 1;

  struct Sample {
    UnixSeconds time = 0;
    std::uint64_t connections = 0;  // Open ones.
    std::uint64_t dropped = 0;      // By the kernel (ListenerSnapshot), of all listeners.
    std::uint64_t worker_stalls = 0;
    double cpu_s = 0;
    CounterValues counters{};  // Sums over all workers.
    DelayHistogram::Values server_delay;
  };

  ConnectionHistory() : ring_(kMostSamples) {}

  // Forgets what is older than kLength. Begins anew if the clock was set back. No-op if no time has
  // passed since the last sample.
  void add(const Snapshot& snapshot) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // 0 is the oldest sample; size() - 1 is the newest.
  [[nodiscard]] const Sample& operator[](std::size_t index) const noexcept {
    return ring_[(begin_ + index) % ring_.size()];
  }

 private:
  void remove_oldest() noexcept;

  std::vector<Sample> ring_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

}  // namespace echod
