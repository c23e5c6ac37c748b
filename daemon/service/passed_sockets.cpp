#include "passed_sockets.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "exit_codes.hpp"
#include "toml_value.hpp"

namespace echod {

namespace {

struct Candidate {
  PassedSocket socket;
  sys::Binding binding;
};

std::string text_of(const sys::SocketAddress& address, bool v6only) {
  return address.text() + (v6only && address.is_v6() ? " (v6only)" : "");
}

std::string text_of(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const auto& [socket, binding] : candidates) {
    text += (text.empty() ? "" : ", ") + text_of(binding.address, binding.v6only) + " (" +
            socket.name + ')';
  }
  return text;
}

StartupError refusal(const std::string& line) {
  return {ExitCode::configuration, "socket activation: " + line};
}

std::vector<Candidate> candidates_of(std::vector<PassedSocket> passed) {
  std::vector<Candidate> candidates;
  for (PassedSocket& socket : passed) {
    const auto binding = sys::binding_of(socket.fd.get());
    if (!binding) {
      throw refusal(socket.name + " is no TCP socket that listens; its unit needs ListenStream= " +
                    "with a port, and Accept=no");
    }
    candidates.push_back({.socket = std::move(socket), .binding = *binding});
  }
  return candidates;
}

bool is_for(const Candidate& candidate, const ListenConfig& wanted) {
  return candidate.binding.address == wanted.address &&
         (!wanted.address.is_v6() || candidate.binding.v6only == wanted.v6only);
}

// What systemd makes of a mere port, and open_listener() of "::", on a host without IPv6.
bool is_fallback_for(const Candidate& candidate, const ListenConfig& wanted) {
  return wanted.address.is_v6() && wanted.address.is_any() && !wanted.v6only &&
         candidate.binding.address == sys::SocketAddress::any_v4(wanted.address.port());
}

sys::ListenSocket adopt(PassedSocket socket, const ListenConfig& wanted,
                        const sys::TcpOptions& options) {
  try {
    sys::ListenSocket listener = sys::adopt_listener(std::move(socket.fd), wanted.backlog, options);
    listener.fell_back_to_v4 = wanted.address.is_v6() && !listener.address.is_v6();
    return listener;
  } catch (const std::system_error& error) {
    throw StartupError(
        ExitCode::system,
        "socket activation: " + wanted.address.text() + " (" + socket.name + "): " + error.what(),
        error.code().value());
  }
}

}  // namespace

std::vector<PassedSocket> take_passed_sockets() {
  constexpr std::size_t kMaxNameBytes = 255;  // FDNAME_MAX of systemd.
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  if (count < 0) {
    throw std::system_error(-count, std::system_category(), "sd_listen_fds");
  }
  std::vector<PassedSocket> passed;
  for (int i = 0; i < count; ++i) {
    passed.push_back({.fd = sys::UniqueFd::adopt(SD_LISTEN_FDS_START + i),
                      .name = one_line(names[i], kMaxNameBytes)});
    std::free(names[i]);  // NOLINT(*-no-malloc): it is libsystemd's.
  }
  std::free(static_cast<void*>(names));  // NOLINT(*-no-malloc)
  return passed;
}

std::vector<sys::ListenSocket> adopt_passed_sockets(std::vector<PassedSocket> passed,
                                                    const Config& config) {
  std::vector<Candidate> left = candidates_of(std::move(passed));
  const std::string all = text_of(left);
  std::vector<sys::ListenSocket> listeners;
  for (const ListenConfig& wanted : config.listen) {
    auto match = std::find_if(left.begin(), left.end(),
                              [&wanted](const Candidate& one) { return is_for(one, wanted); });
    if (match == left.end()) {
      match = std::find_if(left.begin(), left.end(), [&wanted](const Candidate& one) {
        return is_fallback_for(one, wanted);
      });
    }
    if (match == left.end()) {
      throw refusal("[[listen]] " + text_of(wanted.address, wanted.v6only) +
                    " is not among the sockets that were passed: " + all);
    }
    listeners.push_back(adopt(std::move(match->socket), wanted, config.socket));
    left.erase(match);
  }
  if (!left.empty()) {
    throw refusal("sockets were passed that no [[listen]] is for: " + text_of(left));
  }
  return listeners;
}

}  // namespace echod
