// Owns a file descriptor and closes it exactly once. A plain `int fd` elsewhere only borrows one.
//
// Thread-safety: none.
#pragma once

#include <utility>

#include "sys/syscalls.hpp"

namespace echod::sys {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  // Takes over `fd`; a negative value means none.
  [[nodiscard]] static UniqueFd adopt(int fd) noexcept { return UniqueFd(fd); }

  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  // Gives the descriptor up without closing it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  void reset() noexcept {
    if (fd_ >= 0) {
      // Linux frees the descriptor even if close(2) fails; a retry could close another file's.
      (void)calls::close(std::exchange(fd_, -1));
    }
  }

 private:
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace echod::sys
