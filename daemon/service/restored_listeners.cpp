#include "service/restored_listeners.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "admission/accept_policy.hpp"
#include "config/listener_text.hpp"
#include "service/datagram_listeners.hpp"
#include "service/exit_codes.hpp"
#include "service/listen_error.hpp"

namespace echod {

namespace {

constexpr const char* kHowToAgreeLater =
    "change [[listen]], or ListenStream= and ListenDatagram= of the socket unit, and restart the "
    "unit";

bool serves(const ListenerState& open, const ListenConfig& wanted) {
  if (wanted.is_local() || !open.path.empty()) {
    return open.path == wanted.path;
  }
  return open.protocol == wanted.protocol && open.wanted == wanted.address &&
         (!wanted.address.is_v6() || open.v6only == wanted.v6only);
}

// Whether a listener that will be closed may be what keeps `wanted` from being bound.
bool is_freed(const ListenConfig& wanted, const std::vector<ListenerState>& leaving) {
  return std::any_of(leaving.begin(), leaving.end(), [&wanted](const ListenerState& open) {
    return open.path.empty() && open.protocol == wanted.protocol &&
           open.address.port() == wanted.address.port();
  });
}

// The path and the lock of a UNIX socket.
sys::LocalListener path_of(const ListenerState& open) {
  return {open.path,
          {.device = open.file_device, .inode = open.file_inode},
          sys::UniqueFd(),
          sys::UniqueFd::adopt(open.lock_fd)};
}

}  // namespace

std::vector<std::optional<std::size_t>> matches_of(const std::vector<ListenConfig>& wanted,
                                                   const std::vector<ListenerState>& open) {
  std::vector<bool> is_taken(open.size());
  std::vector<std::optional<std::size_t>> matches;
  for (const ListenConfig& one : wanted) {
    std::size_t i = 0;
    while (i < open.size() && (is_taken[i] || !serves(open[i], one))) {
      ++i;
    }
    if (i < open.size()) {
      is_taken[i] = true;
      matches.emplace_back(i);
    } else {
      matches.emplace_back(std::nullopt);
    }
  }
  return matches;
}

std::vector<ListenerState> states_of(
    const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
    const std::vector<sys::LocalListener>& paths, const Config& config) {
  const std::vector<ListenConfig> wanted = listeners_of(config, Protocol::tcp);
  std::vector<ListenerState> states;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const sys::ListenSocket& listener = *listeners[i];
    states.push_back({.fd = listener.fd.get(),
                      .wanted = wanted[i].address,
                      .address = listener.address,
                      .v6only = wanted[i].v6only,
                      .is_passed = listener.is_passed,
                      .fell_back_to_v4 = listener.fell_back_to_v4,
                      .dropped_before = listener.dropped_before,
                      .path = listener.path});
    const auto path = std::find_if(paths.begin(), paths.end(), [&listener](const auto& one) {
      return one.path() == listener.path;
    });
    if (path != paths.end()) {
      states.back().lock_fd = path->lock_fd();
      states.back().file_device = path->file().device;
      states.back().file_inode = path->file().inode;
    }
  }
  return states;
}

std::vector<ListenerState> leaving_listeners(const Config& config,
                                             const std::vector<ListenerState>& states) {
  const std::vector<ListenerState> open = first_of_each(groups_of(states));
  const auto matches = matches_of(config.listen, open);
  std::vector<ListenerState> leaving;
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (std::find(matches.begin(), matches.end(), i) == matches.end()) {
      leaving.push_back(open[i]);
    }
  }
  return leaving;
}

void require_bindable(const ListenConfig& wanted, const std::vector<ListenerState>& leaving) {
  if (wanted.is_local()) {
    sys::require_local_listenable(wanted.path);
    return;
  }
  const auto require =
      wanted.protocol == Protocol::udp ? sys::require_datagrams_bindable : sys::require_bindable;
  try {
    require(wanted.address, wanted.v6only);
  } catch (const std::system_error& error) {
    if (error.code().value() != EADDRINUSE || !is_freed(wanted, leaving)) {
      throw;
    }
  }
}

void require_listenable(const Config& config, const std::vector<ListenerState>& states) {
  const std::vector<ListenerState> open = first_of_each(groups_of(states));
  const auto matches = matches_of(config.listen, open);
  const std::vector<ListenerState> leaving = leaving_listeners(config, states);
  const bool is_activated = std::any_of(open.begin(), open.end(),
                                        [](const auto& listener) { return listener.is_passed; });
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const ListenConfig& wanted = config.listen[i];
    if (matches[i]) {
      continue;
    }
    if (is_activated) {
      throw StartupError(ExitCode::configuration,
                         "socket activation: [[listen]] " + listener_text(wanted) +
                             " is not among the passed sockets; " + kHowToAgreeLater);
    }
    try {
      require_bindable(wanted, leaving);
    } catch (const std::system_error& error) {
      throw listen_error(wanted, error);
    }
  }
  if (is_activated && !leaving.empty()) {
    throw StartupError(ExitCode::configuration,
                       "socket activation: no [[listen]] is for the passed socket " +
                           listener_text(leaving.front()) + "; " + kHowToAgreeLater);
  }
}

RestoredListener restore_listener(const ListenerState& open, const ListenConfig& wanted,
                                  const SocketOptions& options) {
  RestoredListener restored{.socket = {.fd = sys::UniqueFd::adopt(open.fd),
                                       .name = listener_text(open),
                                       .address = open.address,
                                       .path = open.path,
                                       .backlog = wanted.backlog,
                                       .fell_back_to_v4 = open.fell_back_to_v4,
                                       .is_passed = open.is_passed,
                                       .dropped_before = open.dropped_before},
                            .path = {},
                            .trouble = ""};
  if (open.lock_fd >= 0) {
    restored.path = path_of(open);
  }
  try {
    sys::set_backlog(restored.socket.fd.get(), wanted.backlog);
  } catch (const std::system_error& error) {
    // On a listening socket listen(2) fails only with EADDRINUSE: this is no listener.
    if (error.code().value() != EADDRINUSE) {
      throw;
    }
    restored.trouble = error.what();
  }
  try {
    if (open.path.empty()) {
      sys::replace_tcp_options(restored.socket.fd.get(), options);
    } else {
      restored.path.set_access(local_options(wanted));
    }
  } catch (const std::system_error& error) {
    restored.trouble = error.what();
  }
  return restored;
}

int empty_and_close(const ListenerState& open, Workers& workers, std::uint64_t& free_descriptors) {
  const auto fd = sys::UniqueFd::adopt(open.fd);
  if (open.is_passed) {
    return 0;
  }
  // TCP: accepts at most one full queue, because new clients could keep it from ever being empty.
  // UNIX: needs no limit, because the path is removed first and so no new client can connect.
  std::size_t most = SIZE_MAX;
  if (open.path.empty()) {
    most = std::size_t{sys::accept_queue(fd.get()).limit} + 1;
  } else {
    path_of(open).close();
  }
  constexpr int kMostFailures = 2;  // A shortage may pass at once, or not at all.
  int failures = 0;
  for (std::size_t i = 0; i < most; ++i) {
    if (free_descriptors == 0) {
      return sys::has_client(fd.get()) ? EMFILE : 0;
    }
    sys::Accepted accepted = sys::accept(fd.get());
    if (accepted.error == 0) {
      --free_descriptors;
      workers.at(i % workers.size()).adopt(std::move(accepted), ListenerCounts::kRemoved);
      continue;
    }
    const AcceptVerdict verdict = verdict_on_accept(accepted.error);
    if (verdict == AcceptVerdict::done) {
      return 0;
    }
    if (verdict != AcceptVerdict::retry && ++failures == kMostFailures) {
      return accepted.error;
    }
  }
  return 0;
}

sys::LocalListenerOptions local_options(const ListenConfig& wanted) {
  return {.path = wanted.path,
          .backlog = wanted.backlog,
          .mode = wanted.mode,
          .owner = wanted.owner,
          .group = wanted.group};
}

}  // namespace echod
