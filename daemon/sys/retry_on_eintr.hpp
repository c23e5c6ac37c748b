// Repeats system calls that a signal interrupts.
#pragma once

#include <cerrno>

#include "sys/io_result.hpp"

namespace echod::sys {

// Calls `call` until it does not fail with EINTR. `call` returns like a system call: negative, with
// errno set, on failure.
template <typename Call>
IoResult retry_on_eintr(Call call) noexcept {
  for (;;) {
    const IoResult result = IoResult::of(call());
    if (result.error() != EINTR) {
      return result;
    }
  }
}

}  // namespace echod::sys
