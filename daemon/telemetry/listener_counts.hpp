// Counts the connections of a worker by listener. Listeners are numbered in the order of the
// configuration, from 0. Connections of listeners that a reload removed have one number together.
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

  // `total` connections of an earlier program were accepted, and are not counted here otherwise.
  void carry_over(Listener listener, std::uint64_t total) noexcept {
    accepted_[listener].add(total);
    closed_[listener].add(total);
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
