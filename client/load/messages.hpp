// The messages of one connection as positions in its stream (keyed_stream.hpp): what was begun,
// what the kernel has taken, what came back.
//
//   answered <= begun; received <= sent <= end of the begun ones
//
// Thread-safety: none.
#pragma once

#include <cstdint>

#include "load_plan.hpp"

namespace echod::client {

class Messages {
 public:
  Messages(const MessageSizes& sizes, std::uint32_t connection) noexcept
      : sizes_(sizes), connection_(connection), answer_end_(sizes.size_of(connection, 0)) {}

  // Counts of messages.
  [[nodiscard]] std::uint64_t begun() const noexcept { return begun_; }
  [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
  [[nodiscard]] std::uint64_t outstanding() const noexcept { return begun_ - answered_; }
  // Offsets in the stream, in bytes.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t unsent_bytes() const noexcept { return begun_end_ - sent_; }
  [[nodiscard]] std::uint64_t owed_bytes() const noexcept { return sent_ - received_; }

  // One more message is to be sent.
  void begin() noexcept { begun_end_ += sizes_.size_of(connection_, begun_++); }
  void on_sent(std::uint64_t bytes) noexcept { sent_ += bytes; }
  void on_received(std::uint64_t bytes) noexcept { received_ += bytes; }
  // Whether one more message has come back whole.
  [[nodiscard]] bool has_answer() const noexcept {
    return outstanding() > 0 && received_ >= answer_end_;
  }
  // Counts one that has.
  [[nodiscard]] bool count_answer() noexcept {
    if (!has_answer()) {
      return false;
    }
    answer_end_ += sizes_.size_of(connection_, ++answered_);
    return true;
  }
  // Gives up what is outstanding, as if it had come back.
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
  std::uint64_t answer_end_;  // Where the oldest message that is not answered ends.
};

}  // namespace echod::client
