// Standard error, for what must be said when there is no log.
#pragma once

#include <string_view>

namespace echod {

// Whether standard error is systemd's journal. Then lines carry a priority (sd-daemon(3)), and
// neither time nor name, which the journal adds.
[[nodiscard]] bool is_stderr_the_journal() noexcept;

inline constexpr std::string_view kProgramPrefix = "echod: ";

// Writes `line` to standard error after `prefix`; to systemd's journal, after the priority of an
// error instead. Waits at most 100 ms, whatever standard error is; then the rest is lost.
// Allocates nothing. For a start that fails. Thread-safety: any thread.
void report_on_stderr(std::string_view line, std::string_view prefix = kProgramPrefix) noexcept;

}  // namespace echod
