// Measures silences: times in which nothing came back on any UDP socket of a worker while datagrams
// were lost.
//
// A closed loop sends nothing while it waits. So few datagrams are lost while a server hangs, but
// the silence is long. If only the network loses datagrams, all sockets may wait for lost ones for
// one timeout, and a single socket for two. So a silence is measured only once three datagrams were
// lost in it.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "sys/clock.hpp"

namespace echod::client {

class Silence {
 public:
  // The first datagram begins the first silence.
  void on_sent(sys::TimePoint moment) noexcept { begin_ = begin_.value_or(moment); }
  // Any datagram arrived.
  void on_arrival(sys::TimePoint moment) noexcept {
    begin_ = std::max(begin_.value_or(moment), moment);
    lost_ = 0;
  }
  // A datagram was lost: its answer had not arrived at `moment`.
  void on_lost(sys::TimePoint moment) noexcept {
    constexpr std::uint64_t kFew = 2;
    if (++lost_ > kFew) {
      longest_ = std::max<std::chrono::nanoseconds>(longest_, moment - begin_.value_or(moment));
    }
  }

  [[nodiscard]] std::chrono::nanoseconds longest() const noexcept { return longest_; }

 private:
  std::optional<sys::TimePoint> begin_;
  std::uint64_t lost_ = 0;  // Since the current silence began.
  std::chrono::nanoseconds longest_{0};
};

}  // namespace echod::client
