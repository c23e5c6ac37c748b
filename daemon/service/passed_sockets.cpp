#include "service/passed_sockets.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "config/toml_value.hpp"
#include "service/exit_codes.hpp"

namespace echod {

namespace {

constexpr const char* kHowToAgree = "; change [[listen]], or ListenStream= of the socket unit";

struct Candidate {
  PassedSocket socket;
  sys::Binding binding;
};

// Only a socket bound to "::" can serve IPv4 too; one bound to a single IPv6 address is v6only.
bool may_serve_v4(const SocketAddress& address) {
  return address.is_v6() && address.is_any();
}

std::string text_of(const SocketAddress& address, bool v6only) {
  return address.text() + (v6only && may_serve_v4(address) ? " (v6only)" : "");
}

std::string text_of(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const auto& [socket, binding] : candidates) {
    text += (text.empty() ? "" : ", ") + text_of(binding.address, binding.v6only) + " (" +
            socket.name + ')';
  }
  return text;
}

StartupError activation_error(const std::string& line) {
  return {ExitCode::configuration, "socket activation: " + line};
}

StartupError system_error(const std::string& what, const std::system_error& error) {
  return {ExitCode::system, "socket activation: " + what + ": " + error.what(),
          error.code().value()};
}

std::optional<sys::Binding> binding_of(const PassedSocket& socket) {
  try {
    return sys::binding_of(socket.fd.get());
  } catch (const std::system_error& error) {
    throw system_error(socket.name, error);
  }
}

std::vector<Candidate> candidates_of(std::vector<PassedSocket> passed) {
  std::vector<Candidate> candidates;
  for (PassedSocket& socket : passed) {
    const auto binding = binding_of(socket);
    if (!binding) {
      throw activation_error(socket.name +
                             " is not a listening TCP socket; its unit needs ListenStream= " +
                             "with a port, Accept=no, and no SocketProtocol=");
    }
    candidates.push_back({.socket = std::move(socket), .binding = *binding});
  }
  return candidates;
}

bool is_for(const Candidate& candidate, const ListenConfig& wanted) {
  return candidate.binding.address == wanted.address &&
         (!may_serve_v4(wanted.address) || candidate.binding.v6only == wanted.v6only);
}

// On a host without IPv6, systemd binds a plain port number to 0.0.0.0, and open_listener() does
// the same with "::".
bool is_fallback_for(const Candidate& candidate, const ListenConfig& wanted) {
  return may_serve_v4(wanted.address) && !wanted.v6only &&
         candidate.binding.address == SocketAddress::any_v4(wanted.address.port());
}

sys::ListenSocket adopt(PassedSocket socket, const ListenConfig& wanted,
                        const TcpOptions& options) {
  try {
    sys::ListenSocket listener = sys::adopt_listener(std::move(socket.fd), wanted.backlog, options);
    listener.fell_back_to_v4 = wanted.address.is_v6() && !listener.address.is_v6();
    return listener;
  } catch (const std::system_error& error) {
    throw system_error(wanted.address.text() + " (" + socket.name + ')', error);
  }
}

}  // namespace

std::vector<PassedSocket> receive_passed_sockets() {
  constexpr std::size_t kMaxNameBytes = 255;  // FDNAME_MAX of systemd.
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  if (count < 0) {
    throw activation_error("LISTEN_FDS, LISTEN_PID or LISTEN_FDNAMES is invalid: " +
                           std::system_category().message(-count));
  }
  const auto free_names = [count](char** list) {
    std::for_each_n(list, count, &std::free);  // NOLINT(*-no-malloc): allocated by libsystemd.
    std::free(static_cast<void*>(list));       // NOLINT(*-no-malloc)
  };
  const std::unique_ptr<char*, decltype(free_names)> owner(names, free_names);
  std::vector<PassedSocket> passed;
  passed.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    passed.push_back({.fd = sys::UniqueFd::adopt(SD_LISTEN_FDS_START + i),
                      .name = one_line(names[i], kMaxNameBytes)});
  }
  return passed;
}

std::vector<sys::ListenSocket> adopt_passed_sockets(std::vector<PassedSocket> passed,
                                                    const Config& config) {
  std::vector<Candidate> unmatched = candidates_of(std::move(passed));
  const std::string all = text_of(unmatched);
  std::vector<sys::ListenSocket> listeners;
  for (const ListenConfig& wanted : config.listen) {
    auto match = std::find_if(unmatched.begin(), unmatched.end(),
                              [&wanted](const Candidate& one) { return is_for(one, wanted); });
    if (match == unmatched.end()) {
      match = std::find_if(unmatched.begin(), unmatched.end(), [&wanted](const Candidate& one) {
        return is_fallback_for(one, wanted);
      });
    }
    if (match == unmatched.end()) {
      throw activation_error("[[listen]] " + text_of(wanted.address, wanted.v6only) +
                             " is not among the passed sockets: " + all + kHowToAgree);
    }
    listeners.push_back(adopt(std::move(match->socket), wanted, config.socket));
    unmatched.erase(match);
  }
  if (!unmatched.empty()) {
    throw activation_error("no [[listen]] has the address of: " + text_of(unmatched) + kHowToAgree);
  }
  return listeners;
}

}  // namespace echod
