// Standard error, for the log and for what must be said when there is no log.
#pragma once

#include <spdlog/details/log_msg.h>

#include <string_view>

#include "line_format.hpp"

namespace echod {

// Log lines to standard error. Blocks as long as it takes none: for a thread of its own
// (log_thread.hpp). Thread-safety: one thread.
class StderrLog {
 public:
  StderrLog();

  // Whether the line was written. May throw std::bad_alloc.
  [[nodiscard]] bool write(const spdlog::details::log_msg& message);

 private:
  LineFormatter formatter_;
};

inline constexpr std::string_view kProgramPrefix = "echod: ";

// Writes `line` to standard error after `prefix`, with the priority of an error when that is
// systemd's journal. Waits at most 100 ms, whatever standard error is; then the rest is lost.
// Allocates nothing. For a start that fails. Thread-safety: any thread.
void report_on_stderr(std::string_view line, std::string_view prefix = kProgramPrefix) noexcept;

}  // namespace echod
