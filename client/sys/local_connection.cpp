#include "client/sys/local_connection.hpp"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"
#include "sys/wait_ready.hpp"

namespace echod::sys {

static_assert(kLongestConnectPath + 1 == sizeof sockaddr_un::sun_path);  // A 0 ends the path.

LocalConnection connect_local(std::string_view path) noexcept {
  LocalConnection connection;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kLongestConnectPath) {
    connection.error = ENAMETOOLONG;
    return connection;
  }
  path.copy(address.sun_path, path.size());
  connection.fd =
      UniqueFd::adopt(calls::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!connection.fd.is_open()) {
    connection.error = errno;
    return connection;
  }
  connection.error =
      retry_on_eintr([&] {
        return calls::connect(connection.fd.get(), reinterpret_cast<const sockaddr*>(&address),
                              sizeof address);
      }).error();
  if (connection.error != 0) {
    connection.fd.reset();
  }
  return connection;
}

// A socket that could not connect never becomes writable, so this tries again after a short time.
LocalConnection connect_local_within(std::string_view path, Duration timeout) noexcept {
  constexpr std::chrono::milliseconds kRetryDelay{5};
  const TimePoint end = MonotonicClock::now() + timeout;
  for (;;) {
    LocalConnection connection = connect_local(path);
    const TimePoint now = MonotonicClock::now();
    if (connection.error != EAGAIN || now >= end) {
      return connection;
    }
    (void)wait_ready({}, std::min(end, now + kRetryDelay));  // Only waits.
  }
}

}  // namespace echod::sys
