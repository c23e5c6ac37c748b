// The environment of the programs that an upgrade starts.
//
// Thread-safety: no thread may change the environment during a call. Throws std::bad_alloc.
#pragma once

#include <string>
#include <vector>

namespace echod {

// Names the descriptor of the state that a new program reads.
inline constexpr const char* kStateVariable = "ECHOD_STATE_FD";

// Returns the environment of the program that takes over: that of this process, and `state_fd` in
// kStateVariable. The variables of socket activation (LISTEN_*) are left out: their descriptors are
// part of the state.
[[nodiscard]] std::vector<std::string> upgrade_environment(int state_fd);

// Returns the environment of a program that only checks whether it could take over. NOTIFY_SOCKET
// and WATCHDOG_* are left out too, so that it cannot send messages to the service manager.
[[nodiscard]] std::vector<std::string> check_environment(int state_fd);

}  // namespace echod
