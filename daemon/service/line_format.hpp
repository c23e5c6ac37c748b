// The look of a log line: "2026-11-21 02:50:20,123 - network-server - DEBUG - message".
// Thread-safety: each sink has a formatter of its own.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string_view>

namespace echod {

inline constexpr const char* kLoggerName = "network-server";  // In every line.

// With `has_priority`, lines begin with the "<N>" of sd-daemon(3), which systemd's journal reads.
[[nodiscard]] std::unique_ptr<spdlog::formatter> line_format(bool has_priority);

// Formats lines of up to LogQueue::kLongestText bytes without further memory. Thread-safety: one
// thread.
class LineFormatter {
 public:
  explicit LineFormatter(bool has_priority);

  // The line, until the next call. Throws std::bad_alloc if it is longer.
  [[nodiscard]] std::string_view format(const spdlog::details::log_msg& message);

 private:
  std::unique_ptr<spdlog::formatter> format_;
  spdlog::memory_buf_t line_;
};

}  // namespace echod
