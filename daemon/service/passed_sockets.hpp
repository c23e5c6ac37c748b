// Sockets that the service manager listens on and passes when it starts echod: socket activation,
// sd_listen_fds(3). They stay open across a restart, so no connection is refused meanwhile.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "sys/listen_socket.hpp"
#include "sys/unique_fd.hpp"

namespace echod {

struct PassedSocket {
  sys::UniqueFd fd;
  std::string name;  // FileDescriptorName= of the socket unit, on one line.
};

// Those of $LISTEN_FDS, which is removed from the environment; none if echod was not started like
// that. Before the first thread. Throws StartupError.
[[nodiscard]] std::vector<PassedSocket> take_passed_sockets();

// A listener for each [[listen]], in their order: the passed socket of that address, with the
// backlog and the socket options of the configuration. Throws StartupError if configuration and
// passed sockets do not agree one to one.
[[nodiscard]] std::vector<sys::ListenSocket> adopt_passed_sockets(std::vector<PassedSocket> passed,
                                                                  const Config& config);

}  // namespace echod
