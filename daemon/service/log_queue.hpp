// Log lines that wait to be written, in a ring of bytes that is allocated once: logging needs no
// memory, so that a process which has none left can still say so.
//
// When there is no room for a new line, the oldest ones are dropped, and counted.
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
  // The rest of a longer text is cut off.
  static constexpr std::size_t kLongestText = 16384;
  // Room for `max_lines` lines of 256 bytes, and always for the longest one. Throws std::bad_alloc.
  explicit LogQueue(std::size_t max_lines);

  [[nodiscard]] bool empty() const noexcept { return lines_ == 0; }
  void push(const spdlog::details::log_msg& message) noexcept;
  // Takes the oldest line; there must be one. The result is valid until the next pop().
  [[nodiscard]] spdlog::details::log_msg pop() noexcept;
  // Lines that had to make room for newer ones.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept { return dropped_lines_; }

 private:
  struct Header;

  void drop_oldest() noexcept;
  [[nodiscard]] Header take_header() noexcept;
  void put(std::span<const char> bytes) noexcept;
  void get(std::span<char> bytes) noexcept;
  void skip(std::size_t bytes) noexcept;

  const std::size_t max_lines_;
  std::vector<char> ring_;
  std::size_t begin_ = 0;  // Offset of the oldest line.
  std::size_t used_ = 0;   // Bytes.
  std::size_t lines_ = 0;
  std::uint64_t dropped_lines_ = 0;
  std::string popped_;
};

}  // namespace echod
