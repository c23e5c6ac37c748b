// Formats log lines: "2026-11-21 02:50:20,123 - network-server - DEBUG - message".
// Thread-safety: a formatter must be used by one thread at a time.
#pragma once

#include <spdlog/formatter.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace echod {

inline constexpr const char* kLoggerName = "network-server";

enum class LineForm : std::uint8_t {
  dated,
  // "<7>message": the priority of sd-daemon(3); the journal adds time and name.
  journal,
};
[[nodiscard]] std::unique_ptr<spdlog::formatter> line_format(LineForm form);

// Reads /etc/localtime again if it has changed. Blocks on the disk. Thread-safety: any thread.
void read_time_zone();
// Reads the time zone as read_time_zone() does, and returns it: "+0200 (CEST)".
[[nodiscard]] std::string time_zone();

// Formats messages of up to LogQueue::kLongestText bytes without allocating.
// Thread-safety: one thread.
class LineFormatter {
 public:
  explicit LineFormatter(LineForm form);

  // The result is valid until the next call. Throws std::bad_alloc only for longer messages.
  [[nodiscard]] std::string_view format(const spdlog::details::log_msg& message);

 private:
  std::unique_ptr<spdlog::formatter> format_;
  spdlog::memory_buf_t line_;
};

}  // namespace echod
