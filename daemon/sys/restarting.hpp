// System calls that a signal may interrupt.
#pragma once

#include <cerrno>

#include "sys/io_result.hpp"

namespace echod::sys {

// Makes `call`, which returns as a system call does, again for as long as it fails with EINTR.
template <typename Call>
IoResult restarting(Call call) noexcept {
  for (;;) {
    const IoResult result = IoResult::of(call());
    if (result.error() != EINTR) {
      return result;
    }
  }
}

}  // namespace echod::sys
