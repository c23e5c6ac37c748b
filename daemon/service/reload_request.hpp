// `echod --reload PID`: a SIGHUP whose sender learns what came of it. systemctl reload fails
// because of it when echod refuses.
//
// The sender adds a value to the signal (sigqueue(3)), which kill(1) does not. echod answers with a
// value too, and with SIGURG: a process that does not wait for it ignores it by default. Nothing
// but signals passes between two processes of a service whose sandbox hides /proc.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

namespace echod {

// The side that asks. Throws StartupError if process `pid` refuses the reload, cannot be signalled,
// or does not answer within a minute. As root, becomes the user of that process: it may answer to
// no other. Blocks.
void request_reload(pid_t pid);

// The side that reloads: who asked by this SIGHUP and waits for an answer, or 0.
[[nodiscard]] pid_t requester_of(const signalfd_siginfo& hangup) noexcept;
// Answers; no-op if `requester` is 0. Never blocks.
void answer_reload(pid_t requester, bool is_applied) noexcept;

}  // namespace echod
