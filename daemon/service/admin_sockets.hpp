// Opens the sockets of the admin thread as the configuration says.
// Thread-safety: no shared state.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin.hpp"
#include "config/config.hpp"
#include "sys/listen_socket.hpp"
#include "sys/local_listener.hpp"
#include "upgrade/state.hpp"

namespace echod {

// The path of the UNIX socket: a relative one is put into $RUNTIME_DIRECTORY. Empty if none is
// wanted, or if it is relative and $RUNTIME_DIRECTORY is not set.
[[nodiscard]] std::string admin_socket_path(const AdminConfig& config);

// Whether any socket is wanted.
[[nodiscard]] bool wants_admin(const AdminConfig& config);

// How many descriptors the admin thread needs; 0 if no socket is wanted.
[[nodiscard]] std::size_t admin_descriptors(const AdminConfig& config);
// How many it has in the program that `state` describes.
[[nodiscard]] std::size_t admin_descriptors(const AdminState& state) noexcept;

// Throws StartupError if a socket of `config` is not open yet and cannot be opened. `open` are the
// sockets of the program that serves, `leaving` its listeners that will be closed.
void require_admin_listenable(const AdminConfig& config, const AdminState& open,
                              std::vector<ListenerState> leaving);

// Open sockets of an earlier program.
struct OpenAdminSockets {
  sys::LocalListener local;
  std::optional<sys::ListenSocket> tcp;
};

// Takes over what `state` names.
[[nodiscard]] OpenAdminSockets restore_admin_sockets(const AdminState& state);

// Opens the sockets. Uses those of `earlier` that the configuration still has, and closes the
// others. Throws StartupError, std::system_error, std::bad_alloc.
void open_admin_sockets(Admin& admin, const AdminConfig& config, OpenAdminSockets earlier = {});

// Describes the open sockets, for the program that replaces this one. Throws std::bad_alloc.
[[nodiscard]] AdminState state_of(const Admin& admin);

}  // namespace echod
