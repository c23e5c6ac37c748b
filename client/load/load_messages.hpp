// The messages of one connection: when each may begin, which bytes to send, and what the worker's
// tally records.
//
//   closed loop         begun -> answered or failed
//   open loop    due -> begun -> answered or failed
//                due -> given up
//
// A message is answered when its last byte has come back or, in mode connect, at the end of file.
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "client/load/load_context.hpp"
#include "client/load/message_counts.hpp"
#include "client/load/message_times.hpp"
#include "client/sys/client_socket.hpp"

namespace echod::client {

class LoadMessages {
 public:
  // The messages of connection `number`. If it is not active, no message may ever begin.
  LoadMessages(LoadContext& context, std::uint32_t number, bool is_active)
      : context_(context),
        counts_(context.plan.sizes, number),
        times_(is_active ? context.plan.depth : 0) {}

  [[nodiscard]] const MessageCounts& counts() const noexcept { return counts_; }

  // Lets messages begin.
  void start() noexcept { is_started_ = true; }
  // Open loop: one more message was due at `due`.
  void add_due(sys::TimePoint due) noexcept;
  // Whether the next message may begin: it is due or, in a closed loop, the run is not stopping,
  // and fewer than plan.depth are outstanding.
  [[nodiscard]] bool may_begin() const noexcept;
  // Adds one more message to send. It begins at `now`.
  void begin(sys::TimePoint now) noexcept;
  // Whether messages are due and not begun.
  [[nodiscard]] bool has_unbegun() const noexcept { return counts_.begun() < times_.due_count(); }
  // Whether no more message will begin and none is outstanding.
  [[nodiscard]] bool are_done() const noexcept {
    return context_.is_stopping && !has_unbegun() && counts_.outstanding() == 0;
  }

  // Writes the next unsent bytes to the beginning of `buffer` and returns that part.
  [[nodiscard]] std::span<const std::byte> fill_unsent(std::span<std::byte> buffer) const noexcept;
  void on_sent(std::size_t bytes) noexcept;
  // `bytes` bytes came back in `read`, all of them right. Returns how many messages were answered.
  std::uint64_t on_received(std::size_t bytes, const sys::StampedRead& read) noexcept;
  // The end of file was read at `moment`, and no byte is missing.
  void on_end_of_file(sys::TimePoint moment) noexcept;

  // Whether the oldest outstanding message was due or, in a closed loop, begun in the window.
  [[nodiscard]] bool is_oldest_measured() const noexcept;
  // Counts the messages outstanding as failed.
  void fail_outstanding() noexcept;
  // Drops the messages that are due and not begun, and counts them as not sent.
  void give_up_unbegun() noexcept;

 private:
  void record_first_byte(sys::TimePoint moment) noexcept;
  std::uint64_t record_answers(const sys::StampedRead& read) noexcept;
  void record_latency(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_service(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_failure(std::uint64_t message) noexcept;

  LoadContext& context_;
  MessageCounts counts_;
  MessageTimes times_;
  bool is_started_ = false;
  bool has_first_byte_ = false;  // Mode connect: a byte of the message has come back.
};

}  // namespace echod::client
