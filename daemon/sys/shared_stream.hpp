// Reads and writes a standard stream without blocking, although other processes may share it.
//
// O_NONBLOCK on the stream itself would affect every process that shares it. So a FIFO or a
// terminal is opened a second time, through /proc/self/fd, and calls on a socket have MSG_DONTWAIT.
// If the second open fails (no /proc, or a terminal of another user), poll(2) is called before each
// read or write; a write to a terminal that is almost full can then still block. A regular file is
// read and written directly.
//
// Borrows the descriptor. Allocates nothing. Thread-safety: none.
#pragma once

#include <span>
#include <string_view>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class SharedStream {
 public:
  // `access` is O_RDONLY or O_WRONLY.
  SharedStream(int fd, int access) noexcept;

  // Fails with EAGAIN if there is nothing to read.
  IoResult read(std::span<char> into) const noexcept;
  // Writes as many bytes as the stream accepts. Fails with EAGAIN if it accepts none.
  IoResult write(std::string_view bytes) const noexcept;
  // Writes all of `bytes`. Blocks until `deadline` while the stream is full, then fails with
  // EAGAIN.
  IoResult write_all(std::string_view bytes, TimePoint deadline) const noexcept;

 private:
  [[nodiscard]] bool is_ready(short events) const noexcept;

  int fd_;
  bool is_socket_ = false;
  UniqueFd own_;  // The stream opened a second time, if that succeeded.
};

// Writes all of `bytes` to `fd`. Blocks without a limit while `fd` is full, even if O_NONBLOCK is
// set.
IoResult write_waiting(int fd, std::string_view bytes) noexcept;

}  // namespace echod::sys
