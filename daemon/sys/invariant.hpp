// An always-on check for bugs of our own: prints what was violated and where, then aborts.
// Never used for anything a peer, a limit or a configuration can cause.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace echod {

// `file` and `line` are the caller's (std::source_location is not in every compiler that we lint
// with).
inline void invariant(bool holds, const char* rule, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) noexcept {
  if (holds) [[likely]] {
    return;
  }
  (void)::alarm(1);  // Ends the process if standard error takes nothing.
  (void)std::fprintf(stderr, "echod: invariant violated: %s (%s:%d)\n", rule, file, line);
  std::abort();
}

}  // namespace echod
