// Everything an operator can set, as values with their defaults. The defaults suit 10 000
// connections on a small host. What each key means in full stands in config/echod.toml and
// echod.toml(5); the table that ties keys, ranges and members together is in config_keys.hpp.
//
// Thread-safety: values; copy them to another thread, never share them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sys/listen_socket.hpp"
#include "sys/socket_address.hpp"

namespace echod {

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, critical, off };

inline constexpr std::uint16_t kDefaultPort = 2003;
inline constexpr int kDefaultBacklog = 1024;

// One [[listen]] entry.
struct ListenConfig {
  sys::SocketAddress address = sys::SocketAddress::any_v6(kDefaultPort);
  int backlog = kDefaultBacklog;  // Connections that may wait to be accepted (listen(2)).
  bool v6only = false;            // An IPv6 address serves IPv4 peers too unless this is set.

  bool operator==(const ListenConfig&) const = default;
};

struct LimitsConfig {
  std::uint32_t max_connections = 0;  // 0: as many as open_files allows, less a reserve.
  std::uint32_t open_files = 0;       // RLIMIT_NOFILE to set at start; 0: the hard limit.

  bool operator==(const LimitsConfig&) const = default;
};

struct BuffersConfig {
  std::uint32_t per_connection_kib = 128;  // Most that is read ahead of a peer that does not read.
  std::uint32_t total_mib = 64;            // All reply buffers together.
  bool splice = false;                     // Bulk moves through pipes and is not copied.

  bool operator==(const BuffersConfig&) const = default;
};

// What one connection or listener may do before the others go first.
struct TurnConfig {
  std::uint32_t bytes_kib = 128;  // Bytes echoed.
  std::uint32_t reads = 16;       // Calls of recv(2).
  std::uint32_t accepts = 64;     // Connections accepted.

  bool operator==(const TurnConfig&) const = default;
};

// 0 switches a timeout off, except `linger` and `drain`, where it means not to wait at all.
struct TimeoutsConfig {
  std::chrono::milliseconds idle = std::chrono::hours(1);             // No byte either way.
  std::chrono::milliseconds stalled_write = std::chrono::minutes(5);  // It takes none of ours.
  std::chrono::milliseconds linger = std::chrono::seconds(2);  // For its FIN, when it has its tail.
  std::chrono::milliseconds drain = std::chrono::seconds(30);  // From SIGTERM to exit.

  bool operator==(const TimeoutsConfig&) const = default;
};

struct LogConfig {
  std::string file = "network-server.log";  // Relative: in $LOGS_DIRECTORY if set. Empty: none.
  LogLevel file_level = LogLevel::debug;
  LogLevel stderr_level = LogLevel::error;
  std::uint32_t connection_lines_per_second = 100;  // Lines about single connections; 0: no limit.
  std::uint32_t queue_lines = 8192;                 // Lines waiting to be written before some drop.

  bool operator==(const LogConfig&) const = default;
};

// The least serious level that is written anywhere.
[[nodiscard]] inline LogLevel lowest_level(const LogConfig& log) noexcept {
  return log.file.empty() ? log.stderr_level : std::min(log.file_level, log.stderr_level);
}

struct Config {
  std::uint32_t workers = 0;               // Threads that echo; 0: one for each CPU it may use.
  std::chrono::microseconds busy_poll{0};  // How long a worker looks before it sleeps; 0: never.
  std::vector<ListenConfig> listen{ListenConfig{}};
  LimitsConfig limits;
  BuffersConfig buffers;
  TurnConfig turn;
  TimeoutsConfig timeouts;
  sys::TcpOptions socket;
  LogConfig log;

  bool operator==(const Config&) const = default;
};

}  // namespace echod
