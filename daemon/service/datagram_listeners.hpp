// Opens the UDP sockets of a [[listen]], one for each worker, and carries them over to the program
// that replaces this one. A socket that is still configured stays open with what is in its queue.
//
// Thread-safety: functions without shared state; must be called from the main thread. Never blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "echo/workers.hpp"
#include "sys/datagram_socket.hpp"
#include "upgrade/state.hpp"

namespace echod {

// The sockets of one [[listen]] that a program hands over; a TCP listener is a group of one.
using ListenerGroup = std::vector<ListenerState>;

// Throws std::system_error.
[[nodiscard]] DatagramSockets open_datagram_sockets(const ListenConfig& wanted,
                                                    const SocketOptions& options,
                                                    std::size_t count);

struct RestoredDatagrams {
  DatagramSockets sockets;
  // What failed: "has 1 of 2 sockets: ...", or kept_options(); "" if nothing.
  std::string trouble;
};

// The trouble of a listener whose options could not be changed. Throws std::bad_alloc.
[[nodiscard]] std::string kept_options(const std::string& why);

// Takes over the sockets of `open`, with the buffers that are wanted, and opens more until there
// are `count`. If there are more than `count`, all are kept: closing one would lose its queue. A
// passed socket stays alone. Throws std::bad_alloc.
[[nodiscard]] RestoredDatagrams restore_datagrams(const ListenerGroup& open,
                                                  const ListenConfig& wanted,
                                                  const SocketOptions& options, std::size_t count);

// Groups the sockets by their [[listen]]. The groups have the order in which their first sockets
// appear.
[[nodiscard]] std::vector<ListenerGroup> groups_of(const std::vector<ListenerState>& states);
[[nodiscard]] std::vector<ListenerState> first_of_each(const std::vector<ListenerGroup>& groups);

// Bounds the pause of an upgrade that removes a UDP listener, whatever waits there.
inline constexpr std::chrono::milliseconds kLongestEmptying{100};

// Echoes what waits at a [[listen]] that is not configured any more, and closes its sockets. Passed
// sockets are only closed. Returns false if some datagrams were still waiting after
// kLongestEmptying. Throws std::bad_alloc.
[[nodiscard]] bool empty_and_close(const ListenerGroup& open, Workers& workers);

// Describes the sockets of the UDP listeners of `config`, in the same order.
[[nodiscard]] std::vector<ListenerState> states_of(const std::vector<DatagramSockets>& listeners,
                                                   const Config& config);

// The ports of all sockets.
[[nodiscard]] std::vector<std::uint16_t> ports_of(const std::vector<DatagramSockets>& listeners);
[[nodiscard]] std::vector<std::uint16_t> datagram_ports_of(
    const std::vector<ListenerState>& states);

}  // namespace echod
