// The command `upgrade` of echoctl: requests an upgrade and waits for its end.
// Thread-safety: none. Blocks until the end, or for kUpgradeTime.
#pragma once

#include <chrono>

#include "client/echoctl/command_line.hpp"
#include "client/echoctl/commands.hpp"

namespace echod::ctl {

// echod checks a new program for up to 10 s and waits up to 2 s for its workers. A reload that is
// already in progress comes first.
inline constexpr std::chrono::seconds kUpgradeTime{30};

// Throws FatalError if echod refuses the request or does not show how the upgrade ended.
[[nodiscard]] Outcome run_upgrade(const Options& options);

}  // namespace echod::ctl
