// Socket activation (sd_listen_fds(3)): the service manager opens the listening sockets and passes
// them when it starts echod. They stay open while echod restarts, so no connection is refused.
//
// Thread-safety: must be called from the main thread. Never blocks.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "sys/datagram_socket.hpp"
#include "sys/listen_socket.hpp"
#include "sys/unique_fd.hpp"

namespace echod {

struct PassedSocket {
  sys::UniqueFd fd;
  std::string name;  // FileDescriptorName= of the socket unit; control characters are escaped.
};

// Returns the sockets of $LISTEN_FDS, and removes $LISTEN_FDS from the environment. Returns none if
// no sockets were passed to this process. Must be called before the first thread starts. Throws
// StartupError.
[[nodiscard]] std::vector<PassedSocket> receive_passed_sockets();

// In the order of the configuration.
struct PassedListeners {
  std::vector<sys::ListenSocket> streams;  // TCP and UNIX sockets.
  std::vector<sys::DatagramSocket> datagrams;
};

// Returns a socket for each [[listen]]: the passed one with that protocol and address, or with that
// path, set up with the backlog and the socket options of `config`. A path keeps its mode and
// owner, and is never removed: it belongs to the service manager. Throws StartupError unless each
// [[listen]] matches exactly one passed socket and no socket is left.
[[nodiscard]] PassedListeners adopt_passed_sockets(std::vector<PassedSocket> passed,
                                                   const Config& config);

}  // namespace echod
