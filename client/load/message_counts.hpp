// Counts the messages of one connection and the bytes of its stream (keyed_stream.hpp) that were
// sent and received.
//
//   answered <= begun; received <= sent <= end of the last message begun
//
// Thread-safety: none.
#pragma once

#include <cstdint>

#include "client/load/load_plan.hpp"

namespace echod::client {

class MessageCounts {
 public:
  MessageCounts(const MessageSizes& sizes, std::uint32_t connection) noexcept
      : sizes_(sizes), connection_(connection), answer_end_(sizes.size_of(connection, 0)) {}

  // The number of the connection.
  [[nodiscard]] std::uint32_t connection() const noexcept { return connection_; }
  // Counts of messages.
  [[nodiscard]] std::uint64_t begun() const noexcept { return begun_; }
  [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
  [[nodiscard]] std::uint64_t outstanding() const noexcept { return begun_ - answered_; }
  // Offsets in the stream, in bytes.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t unsent_bytes() const noexcept { return begun_end_ - sent_; }
  // Sent, and not come back yet.
  [[nodiscard]] std::uint64_t owed_bytes() const noexcept { return sent_ - received_; }
  // Begun, and not come back yet.
  [[nodiscard]] std::uint64_t missing_bytes() const noexcept { return begun_end_ - received_; }

  // Adds one more message to send.
  void begin() noexcept { begun_end_ += sizes_.size_of(connection_, begun_++); }
  void on_sent(std::uint64_t bytes) noexcept { sent_ += bytes; }
  void on_received(std::uint64_t bytes) noexcept { received_ += bytes; }
  // Whether the oldest outstanding message has come back completely.
  [[nodiscard]] bool has_answer() const noexcept {
    return outstanding() > 0 && received_ >= answer_end_;
  }
  // Counts the oldest outstanding message as answered. Returns false if has_answer() is false.
  [[nodiscard]] bool count_answer() noexcept {
    if (!has_answer()) {
      return false;
    }
    answer_end_ += sizes_.size_of(connection_, ++answered_);
    return true;
  }
  // Counts all outstanding messages as answered, and their bytes as sent and received.
  void abandon() noexcept {
    sent_ = received_ = begun_end_;
    while (count_answer()) {
    }
  }

 private:
  const MessageSizes& sizes_;
  std::uint32_t connection_;
  std::uint64_t begun_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t begun_end_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t answer_end_;  // End of the oldest unanswered message.
};

}  // namespace echod::client
