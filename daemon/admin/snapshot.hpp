// What echod shows of itself at one moment. The metrics, the status page and the status in JSON are
// all written from a snapshot, so that they agree.
//
// Thread-safety: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/counters.hpp"
#include "telemetry/delay_histogram.hpp"

namespace echod {

using CounterValues = std::array<std::uint64_t, kCounters>;

// Seconds since 1970, with a fraction.
using UnixSeconds = double;

enum class Phase : std::uint8_t { starting, serving, draining };

// Upgrades in place since the start of the process (docs/upgrade.md).
struct UpgradeFigures {
  std::uint64_t done = 0;
  std::uint64_t refused = 0;  // The new program did not start, or refused the configuration.
  std::uint64_t failed = 0;   // The workers did not stop, or a system call failed.
  double last_pause_s = 0;    // How long no worker served during the last one that was done.
  std::uint64_t last_connections = 0;  // Connections that the last one kept.
  std::string earlier_version{};       // The version that the last one replaced; empty: none yet.
  std::string last_error{};  // Why the last one was refused or failed; empty if it was done.
};

// What the service knows and changes: the configuration in force and the limits that follow from
// it.
struct ServiceFacts {
  UnixSeconds process_started_at = 0;
  UnixSeconds program_started_at = 0;  // Later than the process after an upgrade in place.
  UpgradeFigures upgrades{};
  std::string config_name;           // The file, or "built-in defaults, ...".
  std::string config_text;           // The configuration in force, as TOML.
  UnixSeconds config_loaded_at = 0;  // When it was last applied: at start or by a reload.
  std::uint64_t reloads_applied = 0;
  std::uint64_t reloads_refused = 0;
  std::string reload_error;            // Why the last reload was refused; empty if it was applied.
  bool is_reload_in_progress = false;  // With its upgrade, if it needs one.
  std::uint64_t max_connections = 0;
  std::uint64_t open_files_limit = 0;
  std::uint64_t buffer_bytes_limit = 0;  // All reply buffers together (buffers.total_mib).
};

// Stands for the address of all removed listeners.
inline constexpr std::string_view kRemovedListeners = "removed";

struct ListenerSnapshot {
  std::string address;            // "[::]:2003", "unix:/run/a.sock" or kRemovedListeners.
  std::uint64_t accepted = 0;     // Connections accepted from it.
  std::uint64_t waiting = 0;      // Connections in its accept queue now.
  std::uint64_t queue_limit = 0;  // The backlog that the kernel granted.
  std::uint64_t dropped = 0;      // By the kernel, mostly because the queue was full.
  bool is_open = true;            // False once a drain has released it; the three above are 0 then.
  bool has_queue = true;          // False for a UNIX socket: the kernel does not tell the three.
  // Stands for the removed listeners. It is the last one, and only there while they have
  // connections.
  bool is_removed = false;
};

// A [[listen]] for UDP, with the sockets of all workers.
struct DatagramListenerSnapshot {
  std::string address;             // "udp [::]:2003".
  std::uint64_t queued_bytes = 0;  // Bytes of its receive buffers that are in use now.
  std::uint64_t dropped = 0;       // Datagrams that the kernel dropped, nearly always because a
                                   // queue was full; also by sockets that a drain has released.
  bool is_open = true;             // False once a drain has released one of its sockets.
};

struct WorkerSnapshot {
  bool is_stuck = false;  // It has made no turn for 6 s or more.
  std::uint64_t turns = 0;
  std::vector<std::uint64_t> connections;  // Open connections, by listener.
  std::uint64_t buffered_bytes = 0;
  std::uint64_t stale_events = 0;
  CounterValues counters{};
  DelayHistogram::Values server_delay;
};

struct LogSnapshot {
  bool has_file = true;  // False if log.file is empty.
  std::string file_level;
  std::string stderr_level;
  std::uint64_t lines_dropped = 0;   // Because a queue was full.
  std::uint64_t write_failures = 0;  // Because a write failed or memory ran out.
  std::vector<std::string> trouble;  // The last lines of level warning or above; the oldest first.
};

struct ProcessSnapshot {
  double cpu_user_s = 0;
  double cpu_system_s = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
};

struct Snapshot {
  std::string version;
  int pid = 0;
  UnixSeconds now = 0;
  Phase phase = Phase::starting;
  std::string not_ready_because;  // Empty: ready for clients.
  std::string unhealthy_because;  // Empty: every worker answers.
  std::uint64_t worker_stalls = 0;
  ServiceFacts service;
  std::vector<ListenerSnapshot> listeners;
  std::vector<DatagramListenerSnapshot> datagram_listeners;
  std::vector<WorkerSnapshot> workers;
  LogSnapshot log;
  ProcessSnapshot process;
};

[[nodiscard]] std::string_view name_of(Phase phase) noexcept;

// Sums over all workers.
[[nodiscard]] CounterValues total_counters(const Snapshot& snapshot) noexcept;
[[nodiscard]] DelayHistogram::Values total_server_delay(const Snapshot& snapshot) noexcept;
[[nodiscard]] std::uint64_t open_connections(const WorkerSnapshot& worker) noexcept;
[[nodiscard]] std::uint64_t open_connections(const Snapshot& snapshot) noexcept;
[[nodiscard]] std::uint64_t buffered_bytes(const Snapshot& snapshot) noexcept;

// Open connections that the worker has from the listener with this number.
[[nodiscard]] std::uint64_t connections_of_listener(const WorkerSnapshot& worker,
                                                    std::size_t listener) noexcept;
// The same, of all workers.
[[nodiscard]] std::uint64_t connections_of_listener(const Snapshot& snapshot,
                                                    std::size_t listener) noexcept;

}  // namespace echod
