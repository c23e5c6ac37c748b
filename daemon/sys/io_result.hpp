// What a system call gave: a count, or the errno it failed with. Eight bytes, passed by value.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace echod::sys {

class [[nodiscard]] IoResult {
 public:
  // Takes a system call's return value and, if it is negative, errno.
  static IoResult of(ssize_t returned) noexcept {
    return IoResult(returned >= 0 ? static_cast<std::int64_t>(returned)
                                  : -static_cast<std::int64_t>(errno));
  }
  static IoResult failure(int error) noexcept {
    return IoResult(-static_cast<std::int64_t>(error));
  }

  [[nodiscard]] bool ok() const noexcept { return value_ >= 0; }
  // The count; 0 on failure.
  [[nodiscard]] std::size_t count() const noexcept {
    return ok() ? static_cast<std::size_t>(value_) : 0;
  }
  // The errno; 0 on success.
  [[nodiscard]] int error() const noexcept { return ok() ? 0 : static_cast<int>(-value_); }
  [[nodiscard]] bool would_block() const noexcept {
    return error() == EAGAIN || error() == EWOULDBLOCK;
  }

 private:
  explicit IoResult(std::int64_t value) noexcept : value_(value) {}

  std::int64_t value_;
};

// What an errno means, in English, for who has run out of memory: it is static.
inline const char* error_text(int error) noexcept {
  const char* const text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

}  // namespace echod::sys
