#include "service/datagram_listeners.hpp"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

namespace echod {

namespace {

sys::DatagramBuffers buffers_of(const SocketOptions& options) noexcept {
  return sys::datagram_buffers(options.receive_buffer_kib, options.send_buffer_kib);
}

void add_sockets(DatagramSockets& sockets, const ListenConfig& wanted, const SocketOptions& options,
                 std::size_t count) {
  while (sockets.size() < count) {
    sockets.push_back(std::make_shared<const sys::DatagramSocket>(
        sys::open_another_datagram_socket(*sockets.front(), wanted.v6only, buffers_of(options))));
  }
}

sys::DatagramSocket datagram_socket_of(const ListenerState& open) {
  return {.fd = sys::UniqueFd::adopt(open.fd),
          .address = open.address,
          .fell_back_to_v4 = open.fell_back_to_v4,
          .is_passed = open.is_passed,
          .receive_buffer_bytes = 0,
          .dropped_before = open.dropped_before};
}

bool is_same_listener(const ListenerState& left, const ListenerState& right) noexcept {
  return left.protocol == Protocol::udp && right.protocol == Protocol::udp &&
         left.wanted == right.wanted && left.address == right.address;
}

}  // namespace

DatagramSockets open_datagram_sockets(const ListenConfig& wanted, const SocketOptions& options,
                                      std::size_t count) {
  DatagramSockets sockets{std::make_shared<const sys::DatagramSocket>(
      sys::open_datagram_socket(wanted.address, wanted.v6only, buffers_of(options)))};
  add_sockets(sockets, wanted, options, count);
  return sockets;
}

RestoredDatagrams restore_datagrams(const ListenerGroup& open, const ListenConfig& wanted,
                                    const SocketOptions& options, std::size_t count) {
  RestoredDatagrams restored;
  for (const ListenerState& state : open) {
    auto socket = std::make_shared<sys::DatagramSocket>(datagram_socket_of(state));
    try {
      sys::set_datagram_buffers(*socket, buffers_of(options));
    } catch (const std::system_error& error) {
      restored.trouble = kept_options(error.what());
      socket->receive_buffer_bytes = sys::datagram_receive_buffer(socket->fd.get());
    }
    restored.sockets.push_back(std::move(socket));
  }
  if (open.front().is_passed) {
    return restored;
  }
  try {
    add_sockets(restored.sockets, wanted, options, count);
  } catch (const std::system_error& error) {
    restored.trouble = "has " + std::to_string(restored.sockets.size()) + " of " +
                       std::to_string(count) + " sockets: " + error.what();
  }
  return restored;
}

std::string kept_options(const std::string& why) {
  return "keeps its old options: " + why;
}

std::vector<ListenerGroup> groups_of(const std::vector<ListenerState>& states) {
  std::vector<ListenerGroup> groups;
  for (const ListenerState& state : states) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&state](const auto& group) {
      return is_same_listener(group.front(), state);
    });
    if (same != groups.end()) {
      same->push_back(state);
    } else {
      groups.push_back({state});
    }
  }
  return groups;
}

std::vector<ListenerState> first_of_each(const std::vector<ListenerGroup>& groups) {
  std::vector<ListenerState> firsts(groups.size());
  std::transform(groups.begin(), groups.end(), firsts.begin(),
                 [](const ListenerGroup& group) { return group.front(); });
  return firsts;
}

bool empty_and_close(const ListenerGroup& open, Workers& workers) {
  const sys::TimePoint deadline = sys::MonotonicClock::now() + kLongestEmptying;
  bool are_empty = true;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const sys::DatagramSocket socket = datagram_socket_of(open[i]);
    if (socket.is_passed) {
      continue;
    }
    are_empty = workers.at(i % workers.size()).echo_queued(socket, deadline) && are_empty;
  }
  return are_empty;
}

std::vector<ListenerState> states_of(const std::vector<DatagramSockets>& listeners,
                                     const Config& config) {
  const std::vector<ListenConfig> wanted = listeners_of(config, Protocol::udp);
  std::vector<ListenerState> states;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    for (const auto& socket : listeners[i]) {
      states.push_back({.fd = socket->fd.get(),
                        .wanted = wanted[i].address,
                        .address = socket->address,
                        .v6only = wanted[i].v6only,
                        .is_passed = socket->is_passed,
                        .fell_back_to_v4 = socket->fell_back_to_v4,
                        .dropped_before = socket->dropped_before,
                        .protocol = Protocol::udp});
    }
  }
  return states;
}

std::vector<std::uint16_t> ports_of(const std::vector<DatagramSockets>& listeners) {
  std::vector<std::uint16_t> ports(listeners.size());
  std::transform(listeners.begin(), listeners.end(), ports.begin(),
                 [](const auto& sockets) { return sockets.front()->address.port(); });
  return ports;
}

std::vector<std::uint16_t> datagram_ports_of(const std::vector<ListenerState>& states) {
  std::vector<std::uint16_t> ports;
  for (const ListenerState& state : states) {
    if (state.protocol == Protocol::udp) {
      ports.push_back(state.address.port());
    }
  }
  return ports;
}

}  // namespace echod
