// Parses the values of options that have a notation of their own (units.hpp has the common ones).
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "client/options/command_line.hpp"

namespace echod::client {

// What a time on the command line may be at least, unless 0 is allowed, and at most.
inline constexpr std::chrono::milliseconds kShortestTime{1};
inline constexpr std::chrono::hours kLongestTime{24 * 365};

// "1k:10k:1k@5s": first rate, last rate, increment, and how long each rate lasts. Empty if it is
// none, or if it has more than 100 steps.
[[nodiscard]] std::optional<RateSteps> parse_steps(std::string_view value);
// A limit that a run must meet (Limit). Empty if it is none.
[[nodiscard]] std::optional<Limit> parse_limit(std::string_view value);

}  // namespace echod::client
