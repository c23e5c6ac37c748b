// Owner of one epoll instance (epoll(7)).
// Thread-safety: none; one thread waits and changes registrations.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class Epoll {
 public:
  static constexpr std::size_t kBatch = 256;  // Events that one wait() returns at most.

  // Throws std::system_error when the kernel has no instance to give.
  Epoll();

  // Registers `fd` for `events` (EPOLL* bits) with the caller's 64-bit `token`; reports at once
  // what is already pending. Failures: EPERM for regular files and /dev/null, ENOSPC, ENOMEM.
  IoResult add(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  // Replaces mask and token. Re-arms: what is pending under the new mask is reported again, also
  // when the mask did not change.
  IoResult modify(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  // Needed before close(2) only when another process or descriptor shares the open socket.
  IoResult remove(int fd) noexcept;

  // Waits up to `timeout_ms` (-1: without end). The result is valid until the next call; it is
  // empty on a timeout and when a signal interrupted the wait.
  [[nodiscard]] std::span<const epoll_event> wait(int timeout_ms) noexcept;

 private:
  UniqueFd fd_;
  std::array<epoll_event, kBatch> events_;
};

}  // namespace echod::sys
