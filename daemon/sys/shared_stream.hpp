// A standard stream that other processes may share, read and written without waiting.
//
// O_NONBLOCK on the stream itself would hold for every process that shares it. So a FIFO or a
// terminal is opened a second time, through /proc/self/fd, and a socket gets MSG_DONTWAIT. Where
// the second open fails (no /proc, a terminal of another user), poll(2) is asked before each call;
// then a terminal that has little room left can still make a write wait. A regular file is read and
// written as it is.
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

  // Reads what is there; EAGAIN if nothing is.
  IoResult read(std::span<char> into) const noexcept;
  // Writes as much as there is room for; EAGAIN if there is none.
  IoResult write(std::string_view bytes) const noexcept;
  // Writes all of `bytes`. Waits for room until `deadline`; fails with EAGAIN then.
  IoResult write_all(std::string_view bytes, TimePoint deadline) const noexcept;

 private:
  [[nodiscard]] bool is_ready(short events) const noexcept;

  int fd_;
  bool is_socket_ = false;
  UniqueFd own_;  // The second description, if there is one.
};

// Writes all of `bytes` to `fd`. Waits for room as long as it takes, also if O_NONBLOCK is set.
IoResult write_waiting(int fd, std::string_view bytes) noexcept;

}  // namespace echod::sys
