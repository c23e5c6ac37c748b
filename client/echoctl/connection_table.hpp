// Connections as a table for people, for `echoctl connections` and `echoctl top`.
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/echoctl/overview.hpp"
#include "client/echoctl/status.hpp"
#include "client/echoctl/table.hpp"

namespace echod::ctl {

// Lines, each with a newline: the table, and how many connections there are besides.
[[nodiscard]] std::string connections_text(const ConnectionList& list, Sizes sizes,
                                           const Style& style);

// The table for `top`. `speed` is what a connection received per second lately, as text.
[[nodiscard]] Table busiest_table(const ConnectionList& list,
                                  const std::function<std::string(const Connection&)>& speed);

// "worker 3 did not answer: CONSEQUENCE"; empty if no worker is silent.
[[nodiscard]] std::string silent_workers_text(const std::vector<std::uint64_t>& workers,
                                              const std::string& consequence);
inline constexpr const char* kMissing = "connections are missing";
inline constexpr const char* kNotClosed = "connections may still be open";

}  // namespace echod::ctl
