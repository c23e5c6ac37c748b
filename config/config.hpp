// The configuration: everything an operator can set, as values with their defaults.
//
// The defaults suit 10 000 connections on a small host. config/echod.toml and echod.toml(5) explain
// each key. config_keys.hpp has the table of keys, with the range and the member of each.
//
// Thread-safety: plain values. Copy them to another thread; do not share them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "config/net/socket_address.hpp"
#include "config/net/socket_options.hpp"

namespace echod {

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, critical, off };

enum class Protocol : std::uint8_t { tcp, udp };

inline constexpr std::uint16_t kDefaultPort = 2003;
inline constexpr int kDefaultBacklog = 1024;
inline constexpr std::size_t kMostListeners = 255;  // A connection keeps its listener in a byte.
inline constexpr std::uint16_t kDefaultAdminPort = 9862;

// One [[listen]] entry.
struct ListenConfig {
  Protocol protocol = Protocol::tcp;  // Of a UNIX socket: always tcp, because it is a stream.
  SocketAddress address = SocketAddress::any_v6(kDefaultPort);
  int backlog = kDefaultBacklog;  // Length of the kernel's accept queue (listen(2)). Not for UDP.
  bool v6only = false;            // If false, an IPv6 address accepts IPv4 connections too.
  std::string path{};             // Of a UNIX stream socket, absolute. Empty: TCP or UDP.
  std::uint32_t mode = 0660;      // Of the path. To connect, write permission is needed.
  // The owner and group of the path. Without a value, the path keeps its owner or group.
  std::optional<std::uint32_t> owner{};
  std::optional<std::uint32_t> group{};

  [[nodiscard]] bool is_local() const noexcept { return !path.empty(); }

  bool operator==(const ListenConfig&) const = default;
};

struct LimitsConfig {
  std::uint32_t max_connections = 0;  // 0: as many as open_files allows, minus a reserve.
  std::uint32_t open_files = 0;       // RLIMIT_NOFILE to set at start; 0: the hard limit.
  // Datagrams per second from one source (an IPv4 address or an IPv6 /64) that a worker echoes; 0:
  // no limit.
  std::uint32_t datagrams_per_source = 0;

  bool operator==(const LimitsConfig&) const = default;
};

struct BuffersConfig {
  std::uint32_t per_connection_kib =
      128;                       // Size of each reply buffer; a connection has at most one.
  std::uint32_t total_mib = 64;  // All reply buffers together.
  bool splice = true;            // Move bulk data through pipes, without copying it.

  bool operator==(const BuffersConfig&) const = default;
};

// The most work in one turn.
struct TurnConfig {
  std::uint32_t bytes_kib = 128;  // Bytes echoed, of one connection or UDP socket.
  std::uint32_t reads = 16;    // Calls of recv(2) of one connection, or datagrams of a UDP socket.
  std::uint32_t accepts = 64;  // Connections that a worker accepts, from all listeners.

  bool operator==(const TurnConfig&) const = default;
};

// 0 disables `idle` and `stalled_write`. For `linger` and `drain`, 0 means no wait.
struct TimeoutsConfig {
  // Closes a connection without a byte in either direction.
  std::chrono::milliseconds idle = std::chrono::hours(1);
  // Closes a connection whose peer accepts no byte of the reply.
  std::chrono::milliseconds stalled_write = std::chrono::minutes(5);
  // While stopping: how long to wait for the peer's FIN after it has acknowledged everything.
  std::chrono::milliseconds linger = std::chrono::seconds(2);
  // The longest time from a stop request until all connections are closed.
  std::chrono::milliseconds drain = std::chrono::seconds(30);

  bool operator==(const TimeoutsConfig&) const = default;
};

struct LogConfig {
  std::string file = "network-server.log";  // Empty: no file. Relative to $LOGS_DIRECTORY if set.
  LogLevel file_level = LogLevel::debug;
  LogLevel stderr_level = LogLevel::error;
  std::uint32_t connection_lines_per_second = 100;  // Log lines about connections; 0: no limit.
  std::uint32_t queue_lines = 8192;                 // Log lines in the queue; more are dropped.

  bool operator==(const LogConfig&) const = default;
};

// Where operators see echod and control it.
struct AdminConfig {
  std::string socket = "admin.sock";  // Empty: none. A relative path needs $RUNTIME_DIRECTORY.
  std::string address;                // IP address for reading over TCP. Empty: none.
  std::uint16_t port = kDefaultAdminPort;

  bool operator==(const AdminConfig&) const = default;
};

// The lowest level that the file or standard error shows.
[[nodiscard]] inline LogLevel lowest_level(const LogConfig& log) noexcept {
  return log.file.empty() ? log.stderr_level : std::min(log.file_level, log.stderr_level);
}

struct Config {
  std::uint32_t workers = 0;               // Worker threads; 0: one for each available CPU.
  std::chrono::microseconds busy_poll{0};  // How long a worker spins before it sleeps; 0: never.
  std::vector<ListenConfig> listen{ListenConfig{}};
  LimitsConfig limits;
  BuffersConfig buffers;
  TurnConfig turn;
  TimeoutsConfig timeouts;
  SocketOptions socket;
  LogConfig log;
  AdminConfig admin;

  bool operator==(const Config&) const = default;
};

// The [[listen]] entries of UDP, or those of TCP and UNIX sockets, in their order.
[[nodiscard]] inline std::vector<ListenConfig> listeners_of(const Config& config,
                                                            Protocol protocol) {
  std::vector<ListenConfig> found;
  std::copy_if(config.listen.begin(), config.listen.end(), std::back_inserter(found),
               [protocol](const ListenConfig& one) { return one.protocol == protocol; });
  return found;
}

}  // namespace echod
