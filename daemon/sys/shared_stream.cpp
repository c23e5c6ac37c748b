#include "sys/shared_stream.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "sys/wait_ready.hpp"

namespace echod::sys {

SharedStream::SharedStream(int fd, int access) noexcept : fd_(fd) {
  struct stat status {};
  if (calls::fstat(fd, &status) != 0) {
    return;
  }
  is_socket_ = S_ISSOCK(status.st_mode);
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
    std::array<char, 32> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    own_ = UniqueFd::adopt(
        calls::open(path.data(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode_t{0}));
  }
}

IoResult SharedStream::read(std::span<char> into) const noexcept {
  if (is_socket_) {
    return IoResult::of(calls::recv(fd_, into.data(), into.size(), MSG_DONTWAIT));
  }
  if (!own_.is_open() && !is_ready(POLLIN)) {
    return IoResult::failure(EAGAIN);
  }
  return IoResult::of(calls::read(own_.is_open() ? own_.get() : fd_, into.data(), into.size()));
}

IoResult SharedStream::write(std::string_view bytes) const noexcept {
  if (is_socket_) {
    return IoResult::of(calls::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  if (own_.is_open()) {
    return IoResult::of(calls::write(own_.get(), bytes.data(), bytes.size()));
  }
  constexpr std::size_t kPart = 4096;  // PIPE_BUF: does not block on a writable pipe (pipe(7)).
  if (!is_ready(POLLOUT)) {
    return IoResult::failure(EAGAIN);
  }
  return IoResult::of(calls::write(fd_, bytes.data(), std::min(bytes.size(), kPart)));
}

IoResult SharedStream::write_all(std::string_view bytes, TimePoint deadline) const noexcept {
  const std::size_t total = bytes.size();
  while (!bytes.empty()) {
    const IoResult written = write(bytes);
    bytes.remove_prefix(written.count());
    const bool must_wait = written.would_block();
    if (!written.ok() && !must_wait && written.error() != EINTR) {
      return written;
    }
    const bool has_expired = MonotonicClock::now() >= deadline;
    if (!bytes.empty() && (has_expired || (must_wait && wait_ready(fd_, POLLOUT, deadline) == 0))) {
      return IoResult::failure(EAGAIN);
    }
  }
  return IoResult::of(static_cast<ssize_t>(total));
}

bool SharedStream::is_ready(short events) const noexcept {
  pollfd stream{.fd = fd_, .events = events, .revents = 0};
  return calls::poll(&stream, 1, 0) == 1;
}

IoResult write_waiting(int fd, std::string_view bytes) noexcept {
  const std::size_t total = bytes.size();
  while (!bytes.empty()) {
    const IoResult written = IoResult::of(calls::write(fd, bytes.data(), bytes.size()));
    if (written.would_block()) {
      (void)wait_ready(fd, POLLOUT, TimePoint::max());  // The next write has the result.
    } else if (!written.ok() && written.error() != EINTR) {
      return written;
    }
    bytes.remove_prefix(written.count());
  }
  return IoResult::of(static_cast<ssize_t>(total));
}

}  // namespace echod::sys
