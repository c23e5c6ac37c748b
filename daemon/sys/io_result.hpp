// The result of a system call: a count, or an errno. Eight bytes, passed by value.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace echod::sys {

class [[nodiscard]] IoResult {
 public:
  // From the return value of a system call. Reads errno if the value is negative.
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

// The English text of an errno. It is a static string: no memory is needed.
inline const char* error_text(int error) noexcept {
  const char* const text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

}  // namespace echod::sys
