#include "service/admin_sockets.hpp"

#include <optional>
#include <system_error>
#include <utility>

#include "config/key_type.hpp"
#include "config/toml_value.hpp"
#include "config/unit_directory.hpp"
#include "service/exit_codes.hpp"
#include "service/listen_error.hpp"
#include "service/restored_listeners.hpp"

namespace echod {

namespace {

constexpr std::size_t kSockets = 2;

std::optional<SocketAddress> admin_address(const AdminConfig& config) {
  return parse_address(config.address, config.port);
}

// Whether a socket that is bound to `bound` serves `wanted`, whose port may be 0: any port.
bool is_served_by(SocketAddress wanted, const SocketAddress& bound) {
  if (wanted.port() == 0) {
    wanted.set_port(bound.port());
  }
  return wanted == bound;
}

StartupError admin_path_error(const std::string& path, const std::system_error& error) {
  return local_socket_error("cannot open the admin socket " + shown_name(path), "admin.socket",
                            error);
}

}  // namespace

std::string admin_socket_path(const AdminConfig& config) {
  return in_runtime_directory(config.socket);
}

bool wants_admin(const AdminConfig& config) {
  return !admin_socket_path(config).empty() || admin_address(config).has_value();
}

std::size_t admin_descriptors(const AdminConfig& config) {
  return wants_admin(config) ? Admin::kDescriptors + kSockets : 0;
}

std::size_t admin_descriptors(const AdminState& state) noexcept {
  return state.unix_fd >= 0 || state.tcp_fd >= 0 ? Admin::kDescriptors + kSockets : 0;
}

void require_admin_listenable(const AdminConfig& config, const AdminState& open,
                              std::vector<ListenerState> leaving) {
  const std::string path = admin_socket_path(config);
  if (!path.empty() && path != open.unix_path) {
    try {
      sys::require_local_listenable(path);
    } catch (const std::system_error& error) {
      throw admin_path_error(path, error);
    }
  }
  const auto address = admin_address(config);
  if (!address || (open.tcp_fd >= 0 && is_served_by(*address, open.tcp_address))) {
    return;
  }
  if (open.tcp_fd >= 0) {
    leaving.push_back({.address = open.tcp_address});
  }
  const ListenConfig wanted{.address = *address};
  try {
    require_bindable(wanted, leaving);
  } catch (const std::system_error& error) {
    throw listen_error(wanted, error);
  }
}

OpenAdminSockets restore_admin_sockets(const AdminState& state) {
  OpenAdminSockets open;
  if (state.unix_fd >= 0) {
    open.local = sys::LocalListener(
        state.unix_path, {.device = state.unix_device, .inode = state.unix_inode},
        sys::UniqueFd::adopt(state.unix_fd), sys::UniqueFd::adopt(state.unix_lock_fd));
  }
  if (state.tcp_fd >= 0) {
    open.tcp =
        sys::ListenSocket{.fd = sys::UniqueFd::adopt(state.tcp_fd), .address = state.tcp_address};
  }
  return open;
}

void open_admin_sockets(Admin& admin, const AdminConfig& config, OpenAdminSockets earlier) {
  const std::string path = admin_socket_path(config);
  if (!path.empty() && path == earlier.local.path()) {
    admin.listen(std::move(earlier.local));
  } else if (!path.empty()) {
    try {
      admin.listen(path);
    } catch (const std::system_error& error) {
      throw admin_path_error(path, error);
    }
  }
  const auto address = admin_address(config);
  if (address && earlier.tcp && is_served_by(*address, earlier.tcp->address)) {
    admin.listen(std::move(*earlier.tcp));
  } else if (address) {
    earlier.tcp.reset();  // It may have the port.
    try {
      admin.listen(*address);
    } catch (const std::system_error& error) {
      throw listen_error({.address = *address}, error);
    }
  }
}

AdminState state_of(const Admin& admin) {
  AdminState state;
  if (const sys::LocalListener* const local = admin.local_socket()) {
    state.unix_fd = local->fd();
    state.unix_lock_fd = local->lock_fd();
    state.unix_path = local->path();
    state.unix_device = local->file().device;
    state.unix_inode = local->file().inode;
  }
  if (const sys::ListenSocket* const tcp = admin.tcp_socket()) {
    state.tcp_fd = tcp->fd.get();
    state.tcp_address = tcp->address;
  }
  return state;
}

}  // namespace echod
