// A check for bugs in this program. It is always on. If it fails, it prints the rule and the place
// and aborts. Must not be used for anything that a peer, a limit or a configuration can cause.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace echod {

// `file` and `line` default to those of the caller. std::source_location is missing in one of the
// compilers that check this code.
inline void invariant(bool holds, const char* rule, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) noexcept {
  if (holds) [[likely]] {
    return;
  }
  (void)::alarm(1);  // Ends the process if writing to standard error blocks.
  (void)std::fprintf(stderr, "echod: invariant violated: %s (%s:%d)\n", rule, file, line);
  std::abort();
}

}  // namespace echod
