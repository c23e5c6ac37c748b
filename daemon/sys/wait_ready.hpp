// Waits for a few descriptors without an event loop (poll(2)).
//
// Thread-safety: no shared state. Blocks until the deadline at most.
#pragma once

#include <poll.h>

#include <span>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"

namespace echod::sys {

// Waits until one of `fds` is ready and sets their `revents`. The count is the number of ready
// descriptors, or 0 after the deadline. A signal does not end the wait. If `fds` is empty, sleeps
// until the deadline.
IoResult wait_ready(std::span<pollfd> fds, TimePoint deadline) noexcept;

// Like above for one descriptor. Returns the ready bits of `events` (POLL* bits), POLLERR and
// POLLHUP; 0 after the deadline or on failure.
[[nodiscard]] short wait_ready(int fd, short events, TimePoint deadline) noexcept;

}  // namespace echod::sys
