#include "client/sys/local_connection.hpp"

#include <sys/un.h>

#include <cerrno>

#include "sys/restarting.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

static_assert(kLongestLocalPath + 1 == sizeof sockaddr_un::sun_path);  // A 0 ends the path.

LocalConnection connect_local(std::string_view path) noexcept {
  LocalConnection connection;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kLongestLocalPath) {
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
      restarting([&] {
        return calls::connect(connection.fd.get(), reinterpret_cast<const sockaddr*>(&address),
                              sizeof address);
      }).error();
  if (connection.error != 0) {
    connection.fd.reset();
  }
  return connection;
}

}  // namespace echod::sys
