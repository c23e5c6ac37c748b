// Runs a program to its end in a child process and collects what it prints.
//
// Thread-safety: one call at a time in a process; other threads may run. Blocks until the child
// ends or the deadline passes. While the kernel reads the program's file, it also blocks beyond the
// deadline: must not be called from a thread that may not block.
#pragma once

#include <cstddef>
#include <string>

#include "sys/clock.hpp"
#include "sys/prepared_exec.hpp"

namespace echod::sys {

inline constexpr std::size_t kMostChildOutput = std::size_t{1024} * 1024;
inline constexpr std::size_t kMostChildErrors = std::size_t{16} * 1024;

// The number that the passed descriptor has in the child.
inline constexpr int kPassedDescriptor = 3;

// How a child ended. The first of these that applies: `failed_call`, `is_cancelled`,
// `has_timed_out`, `is_output_cut`, `signal`, `exit_code`.
struct ChildOutcome {
  const char* failed_call = nullptr;  // The call that failed in this process, with `error`.
  int error = 0;               // If posix_spawn failed: mostly why the file cannot be executed.
  bool is_cancelled = false;   // The child was killed, because `cancel` became readable.
  bool has_timed_out = false;  // The child was killed at the deadline.
  bool is_output_cut = false;  // The child was killed, because its output was too long.
  int signal = 0;              // The signal that ended it.
  int exit_code = 0;
  std::string output;  // At most kMostChildOutput bytes.
  std::string errors;  // The last kMostChildErrors bytes of its standard error.
};

// Starts `program` and waits for its end. Standard input is /dev/null, standard output and standard
// error are pipes, and kPassedDescriptor is a duplicate of `passed`. The child has no other
// descriptor. No signal is blocked, and SIGPIPE, SIGXFSZ and SIGCHLD have their default action.
//
// Once the descriptor `cancel` is readable, the child is killed and the call returns. Pass a
// negative value if the call cannot be cancelled.
//
// The exit code is known even after reap_children() (process.hpp): children are kept as zombies
// during the call. Processes that the child leaves behind are neither waited for nor killed.
//
// The descriptors 0, 1 and 2 must be open, and `passed` must be above them. Throws std::bad_alloc;
// the child is killed first.
[[nodiscard]] ChildOutcome run_child(const PreparedExec& program, int passed, TimePoint deadline,
                                     int cancel = -1);

}  // namespace echod::sys
