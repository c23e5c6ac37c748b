// Keeps which datagrams of one socket are outstanding, and tells what an answer means.
//
//   outstanding --answer--> answered   a further answer is a duplicate
//   outstanding --time----> given up   the first answer is late, a further one is a duplicate
//
// An answer is reordered if an answer to a later datagram came before it (RFC 4737, section 3.3).
// The memory grows with the number of datagrams since the oldest outstanding one, and with the
// number of those given up. Only the newest kRemembered of those are kept. Any answer to an older
// one is late.
//
// Thread-safety: none. Running out of memory ends the process (client/main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "sys/clock.hpp"

namespace echod::client {

struct DatagramTimes {
  sys::TimePoint start;  // The latency begins: when it was due or, in a closed loop, sent.
  sys::TimePoint sent;
};

class DatagramWindow {
 public:
  static constexpr std::size_t kRemembered = 65536;

  enum class Meaning : std::uint8_t {
    answer,     // The first answer to an outstanding datagram.
    duplicate,  // A further answer to a datagram.
    late,       // An answer to a datagram that was given up.
    unknown,    // No datagram with this number was sent yet.
  };
  struct Answer {
    Meaning meaning = Meaning::unknown;
    // Set if the meaning is `answer`.
    bool is_reordered = false;
    DatagramTimes times = {};
  };

  // The next datagram was sent. Numbers count from 0.
  void add(const DatagramTimes& times);
  // An answer to datagram `number` has come.
  [[nodiscard]] Answer on_answer(std::uint64_t number);
  // Whether a datagram is outstanding that was sent at `moment` or before.
  [[nodiscard]] bool has_outstanding_sent_by(sys::TimePoint moment) const noexcept;
  // Gives up the oldest outstanding datagram if it was sent at `moment` or before.
  [[nodiscard]] std::optional<DatagramTimes> give_up_sent_by(sys::TimePoint moment);

  // The number of the next datagram.
  [[nodiscard]] std::uint64_t next() const noexcept { return first_ + entries_.size(); }
  [[nodiscard]] std::uint64_t outstanding() const noexcept { return outstanding_; }

 private:
  struct Entry {
    DatagramTimes times;
    bool is_answered = false;
  };

  // Drops answered entries from the front until the first entry is outstanding.
  void drop_answered() noexcept;

  std::uint64_t first_ = 0;  // The number of the first entry.
  std::deque<Entry> entries_;
  std::uint64_t outstanding_ = 0;
  std::uint64_t after_latest_ = 0;      // The number after the latest that was answered.
  std::deque<std::uint64_t> given_up_;  // Their numbers, in order, except those answered late.
  std::uint64_t after_forgotten_ = 0;   // The number after the latest dropped from given_up_.
};

}  // namespace echod::client
