// Writes the figures of the status page for people. text/numbers.hpp has the common ones.
//
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <string>

#include "admin/snapshot.hpp"
#include "text/numbers.hpp"

namespace echod {

// Exact below ten million: "1 234 567", then "12.3 M", "6.24 G".
[[nodiscard]] std::string total_text(std::uint64_t count);
// At most three significant digits, in a suitable unit: "12 B", "64 KiB", "1.5 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
// A number that may be large or small: "12 346", "12.5", "0.33", "0".
[[nodiscard]] std::string figure_text(double number);
// Bytes in a second: "410 MB/s", "0.31 MB/s". 1 MB is 1 000 000 bytes.
[[nodiscard]] std::string throughput_text(double bytes_per_s);
// A short time, in a suitable unit: "31.4 us", "3.2 ms", "1 s".
[[nodiscard]] std::string delay_text(double seconds);
// A long time, in the two largest units: "42 s", "5 min 12 s", "3 d 4 h".
[[nodiscard]] std::string age_text(double seconds);
// "2026-11-29 17:42:10 UTC". Empty if the calendar has no such time.
[[nodiscard]] std::string utc_text(UnixSeconds time);
// `part` in percent of `whole`, rounded down, at most 100. 0 if `whole` is 0.
[[nodiscard]] unsigned percent(std::uint64_t part, std::uint64_t whole) noexcept;

}  // namespace echod
