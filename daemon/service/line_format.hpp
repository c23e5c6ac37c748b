// The look of a log line: "2026-11-21 02:50:20,123 - network-server - DEBUG - message".
// Thread-safety: each sink has a formatter of its own.
#pragma once

#include <spdlog/formatter.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace echod {

inline constexpr const char* kLoggerName = "network-server";  // In every line.

enum class LineForm : std::uint8_t {
  dated,
  // "<7>message": with the priority of sd-daemon(3), and without what the journal adds to it.
  journal,
};
[[nodiscard]] std::unique_ptr<spdlog::formatter> line_format(LineForm form);

// Reads /etc/localtime anew if it has changed. Thread-safety: any thread.
void read_time_zone();
// The time zone of log lines now: "+0200 (CEST)". Reads /etc/localtime anew if it has changed.
[[nodiscard]] std::string time_zone();

// Formats lines of up to LogQueue::kLongestText bytes without further memory. Thread-safety: one
// thread.
class LineFormatter {
 public:
  explicit LineFormatter(LineForm form);

  // The line, until the next call. Throws std::bad_alloc if it is longer.
  [[nodiscard]] std::string_view format(const spdlog::details::log_msg& message);

 private:
  std::unique_ptr<spdlog::formatter> format_;
  spdlog::memory_buf_t line_;
};

}  // namespace echod
