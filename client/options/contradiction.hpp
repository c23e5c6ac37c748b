// Finds options that contradict each other, or that do not apply to the server or the mode.
// Thread-safety: stateless functions.
#pragma once

#include <optional>
#include <string>

#include "client/options/command_line.hpp"

namespace echod::client {

// Returns a message that says what is wrong and what to give instead. Empty if nothing is wrong.
// The defaults must have been set.
[[nodiscard]] std::optional<std::string> contradiction(const Options& options);

}  // namespace echod::client
