// A bounded queue of log lines, in a ring buffer that is allocated once. Queueing a line allocates
// nothing, so echod can log that memory ran out.
//
// If a new line does not fit, the oldest lines are dropped and counted.
//
// Thread-safety: one thread at a time. A line from pop() may be read while another thread pushes.
#pragma once

#include <spdlog/details/log_msg.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace echod {

class LogQueue {
 public:
  // A longer text is cut to this length.
  static constexpr std::size_t kLongestText = 16384;
  // Holds `max_lines` lines of 256 bytes on average, and at least one line of the longest text.
  // Throws std::bad_alloc.
  explicit LogQueue(std::size_t max_lines);

  [[nodiscard]] bool empty() const noexcept { return lines_ == 0; }
  void push(const spdlog::details::log_msg& message) noexcept;
  // Removes and returns the oldest line. Must not be empty. The result is valid until the next
  // pop().
  [[nodiscard]] spdlog::details::log_msg pop() noexcept;
  // How many lines were dropped because the queue was full.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept { return dropped_lines_; }

 private:
  struct Header;

  void drop_oldest() noexcept;
  [[nodiscard]] Header pop_header() noexcept;
  void put(std::span<const char> bytes) noexcept;
  void get(std::span<char> bytes) noexcept;
  void skip(std::size_t bytes) noexcept;

  const std::size_t max_lines_;
  std::vector<char> ring_;
  std::size_t begin_ = 0;  // Offset of the oldest line in the ring.
  std::size_t used_ = 0;   // Bytes.
  std::size_t lines_ = 0;
  std::uint64_t dropped_lines_ = 0;
  std::string popped_;
};

}  // namespace echod
