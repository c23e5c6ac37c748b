// What a program hands over to the program that replaces it in the same process, as values.
//
// Descriptors are borrowed. Spans of connections point into the bytes that the state was read from.
// docs/upgrade-state.md describes the format in which StateWriter writes these values.
//
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/net/socket_address.hpp"
#include "echo/parked_connection.hpp"

namespace echod {

// A counter that is carried over. The next program finds it by its name.
struct NamedCount {
  std::string name;
  std::uint64_t value = 0;

  bool operator==(const NamedCount&) const = default;
};

// Returns 0 if there is no count of that name.
[[nodiscard]] inline std::uint64_t count_of(const std::vector<NamedCount>& counts,
                                            std::string_view name) noexcept {
  const auto found = std::find_if(counts.begin(), counts.end(),
                                  [name](const NamedCount& count) { return count.name == name; });
  return found == counts.end() ? 0 : found->value;
}

// A listening TCP or UNIX socket, or one of the UDP sockets of a [[listen]]: each of them has the
// same addresses.
struct ListenerState {
  int fd = -1;
  SocketAddress wanted{};   // As configured.
  SocketAddress address{};  // As bound.
  bool v6only = false;
  bool is_passed = false;        // Another process opened it and may have it open too.
  bool fell_back_to_v4 = false;  // "::" was requested, and the host has no IPv6.
  // Connections or datagrams that a passed socket had dropped before echod received it.
  std::uint32_t dropped_before = 0;
  Protocol protocol = Protocol::tcp;
  std::string path{};  // Of a UNIX socket, which has no addresses.
  int lock_fd = -1;    // The lock on the path; -1: a passed socket has none.
  // The file at the path (sys::FileId).
  std::uint64_t file_device = 0;
  std::uint64_t file_inode = 0;

  bool operator==(const ListenerState&) const = default;
};

// The sockets on which operators connect. -1: there is no such socket.
struct AdminState {
  int unix_fd = -1;
  int unix_lock_fd = -1;
  std::string unix_path;
  std::uint64_t unix_device = 0;
  std::uint64_t unix_inode = 0;
  int tcp_fd = -1;
  SocketAddress tcp_address;

  bool operator==(const AdminState&) const = default;
};

struct WorkerState {
  std::vector<NamedCount> counters;
  // The histogram of the server's own delay: the upper bounds of its buckets, and their counts.
  std::vector<std::uint64_t> delay_bounds_ns;
  std::vector<std::uint64_t> delay_counts;
  std::uint64_t delay_sum_ns = 0;
  std::vector<std::uint64_t> accepted_by_listener;
  std::uint64_t stale_events = 0;

  bool operator==(const WorkerState&) const = default;
};

struct ServiceState {
  std::string version;                // Of the program that wrote the state.
  std::string config_text;            // TOML: what the next program printed when it checked.
  double process_started_at = 0;      // Unix seconds.
  std::uint64_t pause_began_ms = 0;   // Milliseconds of CLOCK_MONOTONIC.
  std::int32_t reload_requester = 0;  // Process that asked for the upgrade; 0: unknown.
  // Descriptors that were open when the process started and that it does not know.
  std::uint64_t foreign_descriptors = 0;
  std::vector<NamedCount> counts;  // Of the process: reloads, stalls, upgrades by result, ...
  std::vector<ListenerState> listeners;
  AdminState admin;
  std::vector<WorkerState> workers;
  std::uint64_t connections = 0;  // Number of connection records in the state.

  bool operator==(const ServiceState&) const = default;
};

struct UpgradeState {
  ServiceState service;
  std::vector<ParkedConnection> connections;
};

}  // namespace echod
