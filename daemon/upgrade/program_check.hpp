// Asks the program on disk whether it could take over: runs it with --check-upgrade.
//
// Thread-safety: one check at a time in a process; other threads may run. Blocks until the program
// answers: must be called in a thread that may block.
#pragma once

#include <string>

#include "sys/clock.hpp"
#include "upgrade/program_file.hpp"

namespace echod {

inline constexpr const char* kCheckOption = "--check-upgrade";

struct CheckResult {
  std::string configuration;  // What the program printed: its configuration as TOML.
  std::string refusal;        // One line that names the program and the reason; "" if accepted.

  [[nodiscard]] bool is_accepted() const noexcept { return refusal.empty(); }
};

// Runs the program at its path with its arguments and kCheckOption. It reads the state of this
// service from a duplicate of `state_fd`, whose number is in kStateVariable, and has no other
// descriptor of this process. A program accepts if it prints its configuration and exits with 0
// within `limit`. After `limit`, or as soon as the descriptor `cancel` is readable, the program is
// killed and counts as refusing. Throws std::bad_alloc.
[[nodiscard]] CheckResult check_program(const ProgramFile& program, int state_fd,
                                        sys::Duration limit, int cancel = -1);

}  // namespace echod
