// Formats and parses wall-clock times (RFC 3339).
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace echod::client {

using Moment = std::chrono::sys_time<std::chrono::nanoseconds>;

// In UTC, to the nanosecond: "2026-11-21T09:24:18.000000000Z".
[[nodiscard]] std::string moment_text(Moment moment);
// Accepts "2026-11-21T09:24:18Z", "2026-11-21 10:24:18.5+01:00", and seconds since the epoch:
// "1795253058.5". Empty if the text has another form or is not a valid date, if its year is before
// 1970 or after 2261, or if it has more than 9 000 000 000 seconds. A second 60 counts as the
// second after it.
[[nodiscard]] std::optional<Moment> parse_moment(std::string_view text) noexcept;

}  // namespace echod::client
