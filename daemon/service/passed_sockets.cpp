#include "service/passed_sockets.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "config/listener_text.hpp"
#include "config/toml_value.hpp"
#include "service/exit_codes.hpp"

namespace echod {

namespace {

constexpr const char* kHowToAgree =
    "; change [[listen]], or ListenStream= and ListenDatagram= of the socket unit";

struct Candidate {
  PassedSocket socket;
  Protocol protocol = Protocol::tcp;
  sys::Binding binding;
};

// Only a socket bound to "::" can serve IPv4 too; one bound to a single IPv6 address is v6only.
bool may_serve_v4(const SocketAddress& address) {
  return address.is_v6() && address.is_any();
}

std::string v6only_note(const SocketAddress& address, bool v6only) {
  return v6only && may_serve_v4(address) ? " (v6only)" : "";
}

std::string text_of(const ListenConfig& wanted) {
  return listener_text(wanted) + v6only_note(wanted.address, wanted.v6only);
}

std::string text_of(const Candidate& candidate) {
  const auto& [socket, protocol, binding] = candidate;
  return binding.path.empty() ? listener_text(protocol, binding.address) +
                                    v6only_note(binding.address, binding.v6only)
                              : listener_text(binding.path);
}

std::string text_of(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const Candidate& candidate : candidates) {
    text += (text.empty() ? "" : ", ") + text_of(candidate) + " (" + candidate.socket.name + ')';
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

Candidate candidate_of(PassedSocket socket) {
  try {
    if (const auto binding = sys::binding_of(socket.fd.get())) {
      return {.socket = std::move(socket), .protocol = Protocol::tcp, .binding = *binding};
    }
    if (const auto binding = sys::datagram_binding_of(socket.fd.get())) {
      return {.socket = std::move(socket), .protocol = Protocol::udp, .binding = *binding};
    }
  } catch (const std::system_error& error) {
    throw system_error(socket.name, error);
  }
  throw activation_error(
      socket.name +
      " is not a listening TCP or UNIX socket or a bound UDP socket; its unit needs ListenStream= "
      "with a port or path, or ListenDatagram= with a port, Accept=no, and no SocketProtocol=");
}

std::vector<Candidate> candidates_of(std::vector<PassedSocket> passed) {
  std::vector<Candidate> candidates;
  candidates.reserve(passed.size());
  for (PassedSocket& socket : passed) {
    candidates.push_back(candidate_of(std::move(socket)));
  }
  return candidates;
}

bool is_for(const Candidate& candidate, const ListenConfig& wanted) {
  if (wanted.is_local() || !candidate.binding.path.empty()) {
    return candidate.binding.path == wanted.path;
  }
  return candidate.protocol == wanted.protocol && candidate.binding.address == wanted.address &&
         (!may_serve_v4(wanted.address) || candidate.binding.v6only == wanted.v6only);
}

// On a host without IPv6, systemd binds a plain port number to 0.0.0.0, and open_listener() does
// the same with "::".
bool is_fallback_for(const Candidate& candidate, const ListenConfig& wanted) {
  return !wanted.is_local() && candidate.binding.path.empty() &&
         candidate.protocol == wanted.protocol && may_serve_v4(wanted.address) && !wanted.v6only &&
         candidate.binding.address == SocketAddress::any_v4(wanted.address.port());
}

template <typename Socket>
Socket with_fallback(Socket socket, const ListenConfig& wanted) noexcept {
  socket.fell_back_to_v4 = wanted.address.is_v6() && !socket.address.is_v6();
  return socket;
}

void adopt(PassedSocket socket, const ListenConfig& wanted, const SocketOptions& options,
           PassedListeners& listeners) {
  try {
    if (wanted.protocol == Protocol::udp) {
      const auto buffers =
          sys::datagram_buffers(options.receive_buffer_kib, options.send_buffer_kib);
      listeners.datagrams.push_back(
          with_fallback(sys::adopt_datagram_socket(std::move(socket.fd), buffers), wanted));
    } else if (wanted.is_local()) {
      listeners.streams.push_back(
          sys::adopt_local_listener(std::move(socket.fd), wanted.path, wanted.backlog));
    } else {
      listeners.streams.push_back(with_fallback(
          sys::adopt_listener(std::move(socket.fd), wanted.backlog, options), wanted));
    }
  } catch (const std::system_error& error) {
    throw system_error(listener_text(wanted) + " (" + socket.name + ')', error);
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

PassedListeners adopt_passed_sockets(std::vector<PassedSocket> passed, const Config& config) {
  std::vector<Candidate> unmatched = candidates_of(std::move(passed));
  const std::string all = text_of(unmatched);
  PassedListeners listeners;
  for (const ListenConfig& wanted : config.listen) {
    auto match = std::find_if(unmatched.begin(), unmatched.end(),
                              [&wanted](const Candidate& one) { return is_for(one, wanted); });
    if (match == unmatched.end()) {
      match = std::find_if(unmatched.begin(), unmatched.end(), [&wanted](const Candidate& one) {
        return is_fallback_for(one, wanted);
      });
    }
    if (match == unmatched.end()) {
      throw activation_error("[[listen]] " + text_of(wanted) +
                             " is not among the passed sockets: " + all + kHowToAgree);
    }
    adopt(std::move(match->socket), wanted, config.socket, listeners);
    unmatched.erase(match);
  }
  if (!unmatched.empty()) {
    throw activation_error("no [[listen]] is for: " + text_of(unmatched) + kHowToAgree);
  }
  return listeners;
}

}  // namespace echod
