// The overview that `echoctl status` shows, and parts of it that `echoctl top` shows too. The
// overview fits into 80 columns unless a name in it is long.
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/echoctl/status.hpp"
#include "client/echoctl/table.hpp"

namespace echod::ctl {

enum class Sizes : std::uint8_t {
  readable,  // "1.5 MiB", "12 B"
  exact,     // "1572864"
};

[[nodiscard]] std::string size_text(std::uint64_t bytes, Sizes sizes);

// All lines, each with a newline.
[[nodiscard]] std::string overview(const Status& status, Sizes sizes, const Style& style);

// What waits at the UDP listeners, and what the kernel dropped there.
[[nodiscard]] Table datagram_listener_table(const Status& status, Sizes sizes);

// "echod 0.1.0 is serving, healthy and ready"
[[nodiscard]] std::string state_line(const Status& status, const Style& style);
// What is wrong now: a line for each reason that echod is unhealthy or not ready, and for a refused
// reload.
[[nodiscard]] std::vector<std::string> complaints(const Status& status);
// "12 of 1 000"
[[nodiscard]] std::string part_text(std::uint64_t part, std::uint64_t whole);
// "25 %"; "-" if `whole` is 0.
[[nodiscard]] std::string share_text(std::uint64_t part, std::uint64_t whole);

}  // namespace echod::ctl
