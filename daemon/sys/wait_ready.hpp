// Waiting for a few descriptors without an event loop (poll(2)).
// Thread-safety: free of shared state. Blocks until the deadline at the latest.
#pragma once

#include <poll.h>

#include <span>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"

namespace echod::sys {

// Waits until one of `fds` is ready, and fills their `revents`; the count is how many are, 0 once
// the deadline has passed. A signal does not end the wait. With no `fds` it only waits.
IoResult wait_ready(std::span<pollfd> fds, TimePoint deadline) noexcept;

// As above for one descriptor: what is ready of `events` (POLL* bits), with POLLERR and POLLHUP,
// which nobody has to ask for; 0 once the deadline has passed.
[[nodiscard]] short wait_ready(int fd, short events, TimePoint deadline) noexcept;

}  // namespace echod::sys
