// Keeps when the messages of one connection were due and when they began. In an open loop each
// message is due before it begins. In a closed loop no message is due.
//
// Thread-safety: none. Running out of memory ends the process (client/main.cpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sys/clock.hpp"

namespace echod::client {

class MessageTimes {
 public:
  // `depth` is the most messages that are outstanding, 0 if none ever begins.
  explicit MessageTimes(std::uint32_t depth) : begun_at_(depth == 0 ? 0 : std::bit_ceil(depth)) {}

  // How many messages were due so far. 0 in a closed loop.
  [[nodiscard]] std::uint64_t due_count() const noexcept { return due_count_; }
  // The next message was due at `due`. Forgets when the first `answered` messages were due.
  void add_due(std::uint64_t answered, sys::TimePoint due) noexcept {
    if (due_count_ - answered == due_at_.size()) {
      grow_due_times(answered);
    }
    due_at_[index_in(due_at_, due_count_++)] = due;
  }
  // Forgets that `message` and those after it were due. They must not have begun.
  void drop_due_from(std::uint64_t message) noexcept { due_count_ = message; }

  void set_begun(std::uint64_t message, sys::TimePoint now) noexcept {
    begun_at_[index_in(begun_at_, message)] = now;
  }
  // When `message` began. It must be one of the last `depth` begun.
  [[nodiscard]] sys::TimePoint begun(std::uint64_t message) const noexcept {
    return begun_at_[index_in(begun_at_, message)];
  }
  // When `message` was due or, in a closed loop, when it began. If it was due, it must not be one
  // that the last add_due() forgot.
  [[nodiscard]] sys::TimePoint latency_start(std::uint64_t message) const noexcept {
    return message < due_count_ ? due_at_[index_in(due_at_, message)] : begun(message);
  }

 private:
  // Rings: the time of a message is at its number modulo the size, which is a power of two.
  using Ring = std::vector<sys::TimePoint>;
  [[nodiscard]] static std::size_t index_in(const Ring& ring, std::uint64_t message) noexcept {
    return message & (ring.size() - 1);
  }
  void grow_due_times(std::uint64_t answered) noexcept {
    Ring grown(std::max<std::size_t>(2, 2 * due_at_.size()));
    for (std::uint64_t message = answered; message < due_count_; ++message) {
      grown[index_in(grown, message)] = due_at_[index_in(due_at_, message)];
    }
    due_at_.swap(grown);
  }

  std::uint64_t due_count_ = 0;
  Ring begun_at_;
  Ring due_at_;
};

}  // namespace echod::client
