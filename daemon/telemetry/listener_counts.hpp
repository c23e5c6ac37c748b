// Counts the connections of a worker by listener. Listeners are numbered in the order of the
// configuration, from 0. All listeners that reloads have removed share one number, kRemoved.
//
// Thread-safety: only the worker that owns it adds; any thread may read at any time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "config/config.hpp"
#include "telemetry/single_writer_count.hpp"

namespace echod {

class ListenerCounts {
 public:
  using Listener = std::uint8_t;
  static constexpr Listener kRemoved = kMostListeners;
  static_assert(kMostListeners <= UINT8_MAX);

  void accepted(Listener listener) noexcept { accepted_[listener].add(); }
  void closed(Listener listener) noexcept { closed_[listener].add(); }

  // Adds the connections of an earlier program that have ended. Its open ones are counted when they
  // are resumed.
  void restore(Listener listener, std::uint64_t ended) noexcept {
    accepted_[listener].add(ended);
    closed_[listener].add(ended);
  }

  // Connections accepted since the start.
  [[nodiscard]] std::uint64_t total(Listener listener) const noexcept {
    return accepted_[listener].get();
  }
  // Connections that are open.
  [[nodiscard]] std::uint64_t open(Listener listener) const noexcept {
    const std::uint64_t closed = closed_[listener].get();  // First, so that it is never the larger.
    return accepted_[listener].get() - closed;
  }

 private:
  std::array<SingleWriterCount, kMostListeners + 1> accepted_;
  std::array<SingleWriterCount, kMostListeners + 1> closed_;
};

}  // namespace echod
