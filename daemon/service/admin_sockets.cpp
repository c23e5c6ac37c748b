#include "service/admin_sockets.hpp"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "config/key_type.hpp"
#include "config/toml_value.hpp"
#include "service/exit_codes.hpp"
#include "service/listen_error.hpp"
#include "service/unit_directory.hpp"

namespace echod {

namespace {

constexpr std::size_t kSockets = 2;

// What to do about an error of sys::LocalListener; may be empty.
std::pair<ExitCode, std::string> meaning_of(int error) {
  switch (error) {
    case EADDRINUSE:
      return {ExitCode::cannot_listen,
              "another process serves it; stop that one, or choose another admin.socket"};
    case ENOTSOCK:
      return {ExitCode::cannot_listen,
              "a file of this name exists and is no socket; choose another admin.socket"};
    case ENAMETOOLONG:
      return {ExitCode::configuration, "at most " + std::to_string(sys::kLongestLocalPath) +
                                           " bytes are allowed; choose a shorter admin.socket"};
    case ENOENT:
    case ENOTDIR:
      return {ExitCode::configuration, "its directory does not exist, and echod creates none"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ExitCode::no_permission, "echod's user must be able to write to its directory"};
    default:
      return {ExitCode::system, ""};
  }
}

StartupError socket_error(const std::string& path, const std::system_error& error) {
  const auto [code, hint] = meaning_of(error.code().value());
  return {code,
          "cannot open the admin socket " + shown_name(path) + ": " + error.what() +
              (hint.empty() ? "" : "; " + hint),
          error.code().value()};
}

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

}  // namespace

std::string admin_socket_path(const AdminConfig& config) {
  if (config.socket.empty() || config.socket.front() == '/') {
    return config.socket;
  }
  const std::string directory = unit_directory("RUNTIME_DIRECTORY");
  return directory.empty() ? "" : directory + '/' + config.socket;
}

bool wants_admin(const AdminConfig& config) {
  return !admin_socket_path(config).empty() || admin_address(config).has_value();
}

std::size_t admin_descriptors(const AdminConfig& config) {
  return wants_admin(config) ? Admin::kDescriptors + kSockets : 0;
}

OpenAdminSockets take_over(const AdminState& state) {
  OpenAdminSockets open;
  if (state.unix_fd >= 0) {
    open.local = sys::LocalListener(state.unix_path, sys::UniqueFd::adopt(state.unix_fd),
                                    sys::UniqueFd::adopt(state.unix_lock_fd));
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
      throw socket_error(path, error);
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
  }
  if (const sys::ListenSocket* const tcp = admin.tcp_socket()) {
    state.tcp_fd = tcp->fd.get();
    state.tcp_address = tcp->address;
  }
  return state;
}

}  // namespace echod
