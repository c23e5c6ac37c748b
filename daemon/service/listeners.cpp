#include "service/listeners.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "config/listener_text.hpp"
#include "service/listen_error.hpp"
#include "service/restored_listeners.hpp"
#include "sys/kernel_setting.hpp"

namespace echod {

namespace {

constexpr std::uint32_t kKib = 1024;

std::string_view ipv4_only_note(bool fell_back_to_v4, bool is_passed) {
  if (!fell_back_to_v4) {
    return "";
  }
  return is_passed ? " (IPv4 only: the passed socket is IPv4)"
                   : " (IPv4 only: this host has no IPv6)";
}

// A number for each group: how many listening sockets come before it.
std::vector<std::size_t> stream_numbers_of(const std::vector<ListenerGroup>& groups) {
  std::vector<std::size_t> numbers;
  std::size_t next = 0;
  for (const ListenerGroup& group : groups) {
    numbers.push_back(next);
    next += group.front().protocol == Protocol::tcp ? 1U : 0U;
  }
  return numbers;
}

// A UNIX socket does not tell what the kernel has granted.
int granted_backlog(const sys::ListenSocket& socket, int wanted) {
  const std::uint64_t granted =
      socket.path.empty()
          ? sys::accept_queue(socket.fd.get()).limit
          : sys::kernel_setting("net/core/somaxconn", static_cast<std::uint64_t>(wanted));
  return granted > 0 && granted < static_cast<std::uint64_t>(wanted) ? static_cast<int>(granted)
                                                                     : wanted;
}

}  // namespace

void Listeners::open(std::vector<PassedSocket> passed, const Config& config) {
  if (!passed.empty()) {
    PassedListeners adopted = adopt_passed_sockets(std::move(passed), config);
    for (sys::ListenSocket& socket : adopted.streams) {
      add(std::move(socket));
    }
    for (sys::DatagramSocket& socket : adopted.datagrams) {
      add({std::make_shared<const sys::DatagramSocket>(std::move(socket))});
    }
  } else {
    for (const ListenConfig& wanted : config.listen) {
      open(wanted, config.socket);
    }
  }
  workers_.set_datagram_ports(ports_of(datagrams_));
}

void Listeners::open(const ListenConfig& wanted, const SocketOptions& options) {
  try {
    if (wanted.protocol == Protocol::udp) {
      add(open_datagram_sockets(wanted, options, workers_.size()));
    } else if (wanted.is_local()) {
      sys::LocalListener path(local_options(wanted));
      sys::ListenSocket socket;
      socket.fd = path.release_socket();
      socket.name = listener_text(wanted);
      socket.path = wanted.path;
      socket.backlog = wanted.backlog;
      add(std::move(socket), std::move(path));
    } else {
      add(sys::open_listener(wanted.address, wanted.backlog, wanted.v6only, options));
    }
  } catch (const std::system_error& error) {
    throw listen_error(wanted, error);
  }
}

// Closes first: a socket that goes may have the port of one that comes.
ListenerNumbers Listeners::restore(const std::vector<ListenerState>& earlier, Config& config,
                                   std::uint64_t free_descriptors, spdlog::logger& log) {
  const std::vector<ListenerGroup> groups = groups_of(earlier);
  const std::vector<std::size_t> stream_numbers = stream_numbers_of(groups);
  const auto matches = matches_of(config.listen, first_of_each(groups));
  workers_.set_datagram_ports(datagram_ports_of(earlier));
  close_unmatched(groups, matches, free_descriptors, log);
  ListenerNumbers numbers;
  numbers.fill(ListenerCounts::kRemoved);
  std::vector<ListenConfig> served;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const ListenConfig& wanted = config.listen[i];
    try {
      const std::size_t number = sockets_.size();
      if (matches[i]) {
        restore_group(groups[*matches[i]], wanted, config.socket, log);
      } else {
        open(wanted, config.socket);
      }
      if (matches[i] && wanted.protocol == Protocol::tcp) {
        numbers.at(stream_numbers[*matches[i]]) = static_cast<ListenerCounts::Listener>(number);
      }
      served.push_back(wanted);
    } catch (const StartupError& error) {
      log.error("upgrade: {}; that [[listen]] is not served; reload to try again", error.what());
    }
  }
  config.listen = std::move(served);
  workers_.set_datagram_ports(ports_of(datagrams_));
  return numbers;
}

void Listeners::close_unmatched(const std::vector<ListenerGroup>& groups,
                                const std::vector<std::optional<std::size_t>>& matches,
                                std::uint64_t free_descriptors, spdlog::logger& log) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (std::find(matches.begin(), matches.end(), i) != matches.end()) {
      continue;
    }
    const ListenerState& first = groups[i].front();
    if (first.protocol == Protocol::udp) {
      if (!empty_and_close(groups[i], workers_)) {
        log.warn(
            "upgrade: more datagrams waited at {} than could be echoed in {} ms; the rest is lost",
            listener_text(first.protocol, first.address), kLongestEmptying.count());
      }
    } else if (const int error = empty_and_close(first, workers_, free_descriptors); error != 0) {
      log.warn("upgrade: cannot accept all clients that wait at {}: {}; the others are reset",
               listener_text(first), sys::error_text(error));
    }
  }
}

void Listeners::restore_group(const ListenerGroup& open, const ListenConfig& wanted,
                              const SocketOptions& options, spdlog::logger& log) {
  std::string trouble;
  try {
    if (wanted.protocol == Protocol::udp) {
      RestoredDatagrams restored = restore_datagrams(open, wanted, options, workers_.size());
      trouble = std::move(restored.trouble);
      add(std::move(restored.sockets));
    } else {
      RestoredListener restored = restore_listener(open.front(), wanted, options);
      trouble = restored.trouble.empty() ? "" : kept_options(restored.trouble);
      add(std::move(restored.socket), std::move(restored.path));
    }
  } catch (const std::system_error& error) {
    throw listen_error(wanted, error);
  }
  if (!trouble.empty()) {
    log.error("upgrade: {} {}; run 'echoctl upgrade' to try again", listener_text(open.front()),
              trouble);
  }
}

std::uint64_t Listeners::dropped_datagrams() const noexcept {
  return std::accumulate(watches_.begin(), watches_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const sys::DatagramWatch& socket) {
                           return sum + socket.queue().dropped;
                         });
}

void Listeners::announce(const Config& config, spdlog::logger& log) const {
  announce_streams(listeners_of(config, Protocol::tcp), log);
  announce_udp(sys::datagram_buffers(config.socket.receive_buffer_kib, 0), log);
}

void Listeners::announce_streams(const std::vector<ListenConfig>& wanted,
                                 spdlog::logger& log) const {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const sys::ListenSocket& socket = *sockets_[i];
    const int backlog = wanted[i].backlog;
    log.info("listening on {}, backlog {}{}", socket.name, backlog,
             ipv4_only_note(socket.fell_back_to_v4, socket.is_passed));
    const int granted = granted_backlog(socket, backlog);
    if (granted < backlog) {
      log.warn("the kernel cuts the backlog of {} from {} to {}; raise net.core.somaxconn",
               socket.name, backlog, granted);
    }
  }
}

// The kernel doubles the size that is set.
void Listeners::announce_udp(const sys::DatagramBuffers& wanted, spdlog::logger& log) const {
  const auto wanted_bytes = static_cast<std::uint32_t>(wanted.receive_bytes);
  for (const DatagramSockets& sockets : datagrams_) {
    const sys::DatagramSocket& first = *sockets.front();
    const std::uint32_t granted = first.receive_buffer_bytes / 2;
    log.info("listening on udp {}, receive buffer {} KiB, {} socket{}{}", first.address.text(),
             granted / kKib, sockets.size(), sockets.size() == 1 ? "" : "s",
             ipv4_only_note(first.fell_back_to_v4, first.is_passed));
    if (granted < wanted_bytes) {
      log.warn(
          "the kernel cuts the receive buffer of udp {} from {} to {} KiB; raise "
          "net.core.rmem_max",
          first.address.text(), wanted_bytes / kKib, granted / kKib);
    }
  }
}

std::vector<ListenerState> Listeners::states(const Config& config) const {
  std::vector<ListenerState> states = states_of(sockets_, paths_, config);
  const std::vector<ListenerState> datagrams = states_of(datagrams_, config);
  states.insert(states.end(), datagrams.begin(), datagrams.end());
  return states;
}

void Listeners::add(sys::ListenSocket socket, sys::LocalListener path) {
  const auto shared = std::make_shared<const sys::ListenSocket>(std::move(socket));
  workers_.listen(shared);
  sockets_.push_back(shared);
  if (path.lock_fd() >= 0) {
    paths_.push_back(std::move(path));
  }
}

// A listener with one socket, which was passed, is served by one worker: the next one for each.
void Listeners::add(DatagramSockets sockets) {
  workers_.listen(sockets, datagrams_.size());
  for (const auto& socket : sockets) {
    watches_.emplace_back(socket);
  }
  datagrams_.push_back(std::move(sockets));
}

}  // namespace echod
