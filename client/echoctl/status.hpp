// The answers of echod as values.
//
// All text is on one line and without control characters, because it goes to terminals.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace echod::ctl {

struct Listener {
  std::string address;
  std::uint64_t connections = 0;
  std::uint64_t accepted = 0;
  // The accept queue. Empty for a UNIX socket: the kernel does not show its queue.
  std::optional<std::uint64_t> waiting = 0;
  std::optional<std::uint64_t> queue_limit = 0;
  std::optional<std::uint64_t> dropped = 0;
  bool is_open = true;
};

// A [[listen]] for UDP.
struct DatagramListener {
  std::string address;  // "udp [::]:2003".
  std::uint64_t queued_bytes = 0;
  std::uint64_t dropped = 0;  // By the kernel.
  bool is_open = true;
};

struct Worker {
  std::uint64_t number = 0;
  bool is_stuck = false;
  std::uint64_t connections = 0;
  std::uint64_t turns = 0;
  std::uint64_t buffered_bytes = 0;
};

// Server delays, counted in ranges.
struct Delays {
  struct Range {
    std::optional<double> most_s;  // Inclusive. Empty: no bound; only the last range.
    std::uint64_t count = 0;
  };

  std::vector<Range> ranges;  // In ascending order.

  [[nodiscard]] std::uint64_t count() const noexcept;
};

struct ConfigState {
  std::string name;
  double loaded_at = 0;
  std::uint64_t reloads_applied = 0;
  std::uint64_t reloads_refused = 0;
  std::string reload_error;
  bool is_reload_in_progress = false;
};

// Upgrades in place since the start of the process.
struct UpgradeState {
  std::uint64_t done = 0;
  std::uint64_t refused = 0;
  std::uint64_t failed = 0;
  double last_pause_s = 0;
  std::uint64_t last_connections = 0;  // How many the last one kept.
  std::string earlier_version;         // Empty if no upgrade was done.
  std::string last_error;  // Why the last one was refused or failed; empty if it was done.
};

struct LogState {
  std::string file_level;
  std::string stderr_level;
  std::uint64_t lines_dropped = 0;
  std::uint64_t write_failures = 0;
  std::vector<std::string> trouble;  // The last lines of level warning or above; the oldest first.
};

// Times are in seconds since 1970.
struct Status {
  std::string version;
  std::int64_t pid = 0;
  std::string phase;
  std::string not_ready_because;
  std::string unhealthy_because;
  double now = 0;
  double started_at = 0;          // The process.
  double program_started_at = 0;  // Later after an upgrade in place.
  std::uint64_t connections = 0;
  std::uint64_t max_connections = 0;
  std::uint64_t open_files = 0;
  std::uint64_t open_files_limit = 0;
  std::uint64_t buffered_bytes = 0;
  std::uint64_t buffer_bytes_limit = 0;
  ConfigState config;
  UpgradeState upgrades;
  std::vector<Listener> listeners;
  std::vector<DatagramListener> datagram_listeners;
  std::vector<Worker> workers;
  std::uint64_t worker_stalls = 0;
  std::map<std::string, std::uint64_t> counters;
  Delays server_delay;
  LogState log;
  double cpu_user_s = 0;
  double cpu_system_s = 0;
  std::uint64_t resident_bytes = 0;

  // 0 if echod has no counter of this name.
  [[nodiscard]] std::uint64_t counter(std::string_view name) const;
};

struct Connection {
  std::string id;
  std::string peer;
  std::string listener;
  std::uint64_t worker = 0;
  double age_s = 0;
  double idle_s = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t owed_bytes = 0;
  std::string state;
};

struct ConnectionList {
  std::uint64_t total = 0;  // How many match the filter.
  std::uint64_t offset = 0;
  std::vector<std::uint64_t> silent_workers;  // Their connections are missing.
  std::vector<Connection> connections;
};

// These throw a FatalError if the text is not such an answer.
[[nodiscard]] Status parse_status(const std::string& json);
[[nodiscard]] ConnectionList parse_connections(const std::string& json);
struct ClosedConnections {
  std::uint64_t closed = 0;
  std::vector<std::uint64_t> silent_workers;  // Their connections may still be open.
};

[[nodiscard]] ClosedConnections parse_closed(const std::string& json);

// The answer to POST /upgrade: the counts before the upgrade.
struct UpgradeOrder {
  double started_at = 0;  // When the process started.
  std::uint64_t reloads_applied = 0;
  std::uint64_t reloads_refused = 0;
  std::uint64_t upgrades_done = 0;
  std::uint64_t upgrades_refused = 0;
  std::uint64_t upgrades_failed = 0;
};

[[nodiscard]] UpgradeOrder parse_upgrade_order(const std::string& json);

struct LogLevels {
  std::string file;
  std::string standard_error;
};

// {"file_level": "debug", "stderr_level": "info"}
[[nodiscard]] LogLevels parse_log_levels(const std::string& json);
// The same object.
[[nodiscard]] std::string log_levels_json(const LogLevels& levels);

}  // namespace echod::ctl
