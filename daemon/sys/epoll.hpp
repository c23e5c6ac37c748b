// Owns one epoll instance (epoll(7)).
//
// Thread-safety: none; one thread waits and changes registrations. Only wait() blocks.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class Epoll {
 public:
  static constexpr std::size_t kBatch = 256;  // The most events that one wait() returns.

  // Throws std::system_error.
  Epoll();

  // Registers `fd` for `events` (EPOLL* bits) with the caller's `token`. Events that are already
  // pending are reported too. Fails with EPERM for regular files and /dev/null, ENOSPC, ENOMEM.
  IoResult add(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  // Replaces the mask and the token, and re-arms the edge: events that are pending under the new
  // mask are reported again, even if the mask did not change.
  IoResult modify(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  // Needed before close(2) only if another process or descriptor shares the open socket.
  IoResult remove(int fd) noexcept;

  // Waits for at most `timeout_ms` (-1: without a limit). The result is valid until the next call.
  // It is empty after a timeout or if a signal interrupted the wait.
  [[nodiscard]] std::span<const epoll_event> wait(int timeout_ms) noexcept;

 private:
  UniqueFd fd_;
  std::array<epoll_event, kBatch> events_;
};

}  // namespace echod::sys
