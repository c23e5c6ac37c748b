// The messages of one UDP socket of a load run, a datagram each: when each may be sent, what an
// answer means, and what the worker's tally records.
//
//   closed loop         sent -> answered, lost or failed
//   open loop    due -> sent -> answered, lost or failed
//                due -> given up
//
// Wrong answers are errors (load_error.hpp): `corrupted`; `crossed`, a datagram of another socket
// of the run; `unsolicited`, a datagram that was not sent. Losses and other faults of a network are
// counted, but they are not errors (DatagramCounts).
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "client/datagram/datagram_format.hpp"
#include "client/datagram/datagram_window.hpp"
#include "client/load/load_context.hpp"
#include "client/sys/client_socket.hpp"

namespace echod::client {

class DatagramMessages {
 public:
  // What is wrong with an answer.
  struct Wrong {
    LoadError error;
    std::string what;
  };

  // The messages of socket `number`. If it is not active, none may ever be sent.
  DatagramMessages(LoadContext& context, std::uint32_t number, bool is_active)
      : context_(context), number_(number), is_active_(is_active), format_(context.plan.seed) {}

  // Lets datagrams be sent.
  void start() noexcept { is_started_ = true; }
  // Open loop: one more datagram was due at `due`.
  void add_due(sys::TimePoint due) noexcept;
  // How many datagrams to send next: in an open loop one if it is due, in a closed loop a burst if
  // plan.depth allows it. 0 if none.
  [[nodiscard]] std::uint32_t next_count() const noexcept;
  [[nodiscard]] std::uint64_t outstanding() const noexcept { return window_.outstanding(); }
  // Whether no more datagram will be sent and none is outstanding.
  [[nodiscard]] bool are_done() const noexcept {
    return context_.is_stopping && outstanding() == 0 && due_.empty();
  }

  // Fills the beginning of `buffer` with the next `count` datagrams, one after the other, and
  // returns it.
  [[nodiscard]] std::span<const std::byte> fill_next(std::span<std::byte> buffer,
                                                     std::uint32_t count) const noexcept;
  // The next `count` datagrams were sent. The call began at `begun`.
  void on_sent(std::uint32_t count, sys::TimePoint begun) noexcept;
  // Open loop: drops the oldest datagram that is due and not sent, and counts it as not sent.
  void give_up_due() noexcept;
  // Like give_up_due(), for all datagrams that are due and not sent.
  void give_up_all_due() noexcept;

  // `bytes` came from the server. Returns what is wrong with them, if anything.
  [[nodiscard]] std::optional<Wrong> on_received(std::span<const std::byte> bytes,
                                                 const sys::StampedRead& read) noexcept;
  // Whether a datagram that was sent at `moment` or before is outstanding.
  [[nodiscard]] bool has_outstanding_sent_by(sys::TimePoint moment) const noexcept {
    return window_.has_outstanding_sent_by(moment);
  }
  // Counts the datagrams outstanding that were sent at `moment` or before as lost.
  void lose_sent_by(sys::TimePoint moment) noexcept;
  // Counts the datagrams outstanding as failed.
  void fail_outstanding() noexcept;

 private:
  [[nodiscard]] std::size_t size_of(std::uint64_t number) const noexcept {
    return context_.plan.sizes.size_of(number_, number);
  }
  [[nodiscard]] DatagramWindow::Answer answer_to(std::uint64_t number,
                                                 const sys::StampedRead& read) noexcept;
  [[nodiscard]] std::optional<Wrong> compare(std::span<const std::byte> bytes,
                                             std::uint64_t number) const noexcept;
  void record_answer(const DatagramTimes& times, const sys::StampedRead& read) noexcept;
  void record_lost(const DatagramTimes& times) noexcept;
  void record_failure(sys::TimePoint start) noexcept;

  LoadContext& context_;
  std::uint32_t number_;
  bool is_active_;
  bool is_started_ = false;
  DatagramFormat format_;
  DatagramWindow window_;
  std::deque<sys::TimePoint> due_;  // Open loop: when the datagrams that were not sent were due.
};

}  // namespace echod::client
