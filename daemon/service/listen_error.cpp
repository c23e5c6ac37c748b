#include "service/listen_error.hpp"

#include <cerrno>
#include <string>
#include <string_view>

#include "config/listener_text.hpp"
#include "config/net/local_path.hpp"
#include "sys/kernel_setting.hpp"

namespace echod {

namespace {

// EACCES: a port that needs CAP_NET_BIND_SERVICE, or SELinux, which may refuse any port.
// EPERM: a filter, which is seccomp(2) or SocketBindDeny= of systemd.
std::string permission_hint(std::uint16_t port, int error) {
  constexpr std::uint64_t kUsual = 1024;
  const auto unprivileged = sys::kernel_setting("net/ipv4/ip_unprivileged_port_start", kUsual);
  if (error == EACCES && port != 0 && port < unprivileged) {
    return "a port below " + std::to_string(unprivileged) + " needs root or CAP_NET_BIND_SERVICE";
  }
  return "a security policy refuses it: SELinux, AppArmor or a filter of the unit or container";
}

struct Meaning {
  ExitCode code;
  std::string hint;  // What to do about it; may be empty.
};

std::string in_use_hint(const ListenConfig& listener) {
  const std::string port = std::to_string(listener.address.port());
  if (listener.protocol == Protocol::udp) {
    return "find the program that holds the port with: ss -uanp sport = :" + port;
  }
  return "find the program that holds the port with: ss -tanp sport = :" + port +
         "; if that shows none, the port is bound without listening, which newer versions show "
         "with: ss -tBnp sport = :" +
         port;
}

Meaning meaning_of(int error, const ListenConfig& listener) {
  const SocketAddress& address = listener.address;
  switch (error) {
    case EACCES:
    case EPERM:
      return {ExitCode::no_permission, permission_hint(address.port(), error)};
    case EADDRINUSE:
      return {ExitCode::cannot_listen, in_use_hint(listener)};
    case EADDRNOTAVAIL:
      return {ExitCode::cannot_listen,
              "this host does not have that address; list its addresses with: ip address"};
    case EAFNOSUPPORT:
      return {ExitCode::cannot_listen, std::string("this host has no ") +
                                           (address.is_v6() ? "IPv6" : "IPv4") +
                                           ", or RestrictAddressFamilies= of the unit forbids it"};
    case EMFILE:
      return {ExitCode::system, "raise ulimit -n, or LimitNOFILE= under systemd"};
    default:
      return {ExitCode::system, ""};
  }
}

// lchown(2) needs a right that the other calls do not need.
Meaning local_meaning_of(const std::system_error& error, const std::string& key) {
  const bool is_chown = std::string_view(error.what()).starts_with("lchown");
  switch (error.code().value()) {
    case EADDRINUSE:
      return {ExitCode::cannot_listen,
              "another process serves it; stop that one, or choose another " + key};
    case ENOTSOCK:
      return {ExitCode::cannot_listen,
              "a file that is not a socket has this name; choose another " + key};
    case ENAMETOOLONG:
      return {ExitCode::configuration, "at most " + std::to_string(kLongestLocalPath) +
                                           " bytes are allowed; choose a shorter " + key};
    case ENOENT:
    case ENOTDIR:
      return {ExitCode::configuration, "its directory does not exist; create it first"};
    case EINVAL:
      return {ExitCode::system,
              is_chown ? "echod's user namespace does not have that owner or group, for example "
                         "because of PrivateUsers= of the unit"
                       : ""};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ExitCode::no_permission,
              is_chown ? "another owner needs CAP_CHOWN; another group needs that too, or echod's "
                         "user as a member"
                       : "echod's user must be able to write to its directory"};
    default:
      return {ExitCode::system, ""};
  }
}

StartupError startup_error(const std::string& what, const std::system_error& error,
                           const Meaning& meaning) {
  return {meaning.code,
          what + ": " + error.what() + (meaning.hint.empty() ? "" : "; " + meaning.hint),
          error.code().value()};
}

}  // namespace

StartupError listen_error(const ListenConfig& listener, const std::system_error& error) {
  const std::string what = "cannot listen on " + listener_text(listener);
  return listener.is_local()
             ? local_socket_error(what, "path", error)
             : startup_error(what, error, meaning_of(error.code().value(), listener));
}

StartupError local_socket_error(const std::string& what, const std::string& key,
                                const std::system_error& error) {
  return startup_error(what, error, local_meaning_of(error, key));
}

}  // namespace echod
