// An always-on check for bugs of our own: prints what was violated and where, then aborts.
// Never used for anything a peer, a limit or a configuration can cause.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace echod {

inline void invariant(bool holds, const char* rule,
                      std::source_location where = std::source_location::current()) noexcept {
  if (holds) [[likely]] {
    return;
  }
  (void)std::fprintf(stderr, "echod: invariant violated: %s (%s:%u)\n", rule, where.file_name(),
                     static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace echod
