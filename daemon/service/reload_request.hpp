// `echod --reload PID`: a reload whose sender learns the result, so that `systemctl reload` fails
// if echod refuses the configuration.
//
// The sender sends SIGHUP with a value (sigqueue(3)); a SIGHUP of kill(1) has none. echod answers
// with SIGURG and a value. SIGURG is ignored by default, so it does no harm to a process that does
// not wait for it. Signals are used because they pass between processes of a sandboxed service,
// where /proc is hidden.
//
// Thread-safety: functions without shared state.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

namespace echod {

// Requests a reload of process `pid` and waits for the answer. If run by root, switches to the user
// of that process first, because that process may not signal other users. Throws StartupError if
// the process refuses, cannot be signalled, ends, or does not answer within a minute. Blocks.
void request_reload(pid_t pid);

// In the reloading process: returns the sender of this SIGHUP if it waits for an answer, or 0.
[[nodiscard]] pid_t requester_of(const signalfd_siginfo& hangup) noexcept;
// Sends the answer; no-op if `requester` is 0. Never blocks.
void answer_reload(pid_t requester, bool is_applied) noexcept;

}  // namespace echod
