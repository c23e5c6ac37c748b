// Standard error, for what must be said when there is no log.
#pragma once

#include <string_view>

namespace echod {

// Whether standard error is systemd's journal: then lines may carry a priority (sd-daemon(3)).
[[nodiscard]] bool is_stderr_the_journal() noexcept;

inline constexpr std::string_view kProgramPrefix = "echod: ";

// Writes `line` to standard error after `prefix`, with the priority of an error when that is
// systemd's journal. Waits at most 100 ms, whatever standard error is; then the rest is lost.
// Allocates nothing. For a start that fails. Thread-safety: any thread.
void report_on_stderr(std::string_view line, std::string_view prefix = kProgramPrefix) noexcept;

}  // namespace echod
