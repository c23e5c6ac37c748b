#include "sys/wait_ready.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

// The time left, rounded up, so that a wait does not end before its deadline.
int left_ms(TimePoint deadline) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - MonotonicClock::now());
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kMost));
}

}  // namespace

IoResult wait_ready(std::span<pollfd> fds, TimePoint deadline) noexcept {
  return retry_on_eintr(
      [&] { return calls::poll(fds.data(), static_cast<nfds_t>(fds.size()), left_ms(deadline)); });
}

short wait_ready(int fd, short events, TimePoint deadline) noexcept {
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  (void)wait_ready(std::span(&waiting, 1), deadline);  // On failure nothing is ready.
  return waiting.revents;
}

}  // namespace echod::sys
