// Reports errors on standard error when there is no log: before it is set up, and in failed starts.
#pragma once

#include <string_view>

namespace echod {

// Returns true if standard error is the systemd journal. Lines to the journal begin with a priority
// (sd-daemon(3)) and have no time and name, because the journal adds them.
[[nodiscard]] bool is_stderr_the_journal() noexcept;

inline constexpr std::string_view kProgramPrefix = "echod: ";

// Writes `prefix` and `line` to standard error. If that is the systemd journal, writes the priority
// of an error instead of `prefix`. Blocks for at most 100 ms; the rest of the line is lost then.
// Allocates nothing. Thread-safety: any thread.
void report_on_stderr(std::string_view line, std::string_view prefix = kProgramPrefix) noexcept;

}  // namespace echod
