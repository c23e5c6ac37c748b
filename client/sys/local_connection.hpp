// Connects to a listening socket of this host (AF_UNIX, SOCK_STREAM, unix(7)).
// Thread-safety: stateless functions.
#pragma once

#include <string_view>

#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

struct LocalConnection {
  UniqueFd fd;  // Non-blocking and close-on-exec. Open only if `error` is 0.
  // 0: connected. EAGAIN: the accept queue of the listener is full; try again later. EACCES: no
  // permission. ECONNREFUSED: no process listens, or the file is not a socket. ENAMETOOLONG: the
  // path has more than kLongestConnectPath bytes. Other values: see connect(2) and socket(2).
  int error = 0;
};

inline constexpr std::size_t kLongestConnectPath = 107;

// Never blocks.
[[nodiscard]] LocalConnection connect_local(std::string_view path) noexcept;

// Like connect_local(), but blocks while the accept queue is full, for at most `timeout`. Then the
// error is EAGAIN.
[[nodiscard]] LocalConnection connect_local_within(std::string_view path,
                                                   Duration timeout) noexcept;

}  // namespace echod::sys
