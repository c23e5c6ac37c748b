// An answer of echod to GET /status, and one to GET /connections, for tests of echoctl.
// Thread-safety: stateless functions.
#pragma once

#include <nlohmann/json.hpp>

namespace echod::test {

// One listener, two workers, started 1000 s before now.
inline nlohmann::json status_example() {
  return nlohmann::json::parse(R"({
    "version": "0.1.0", "pid": 4711, "phase": "serving",
    "not_ready_because": "", "unhealthy_because": "",
    "now": 1764401000.5, "started_at": 1764400000.5, "program_started_at": 1764400000.5,
    "connections": 12, "max_connections": 1000, "open_files": 40, "open_files_limit": 1024,
    "buffered_bytes": 4096, "buffer_bytes_limit": 67108864,
    "config": {"name": "/etc/echod.toml", "loaded_at": 1764400000.5, "reloads_applied": 2,
               "reloads_refused": 0, "reload_error": "", "is_reload_in_progress": false,
               "text": "workers = 2\n"},
    "upgrades": {"done": 0, "refused": 0, "failed": 0, "last_pause_s": 0, "last_connections": 0,
                 "earlier_version": "", "last_error": ""},
    "listeners": [{"address": "[::]:2003", "connections": 12, "accepted": 100, "waiting": 3,
                   "queue_limit": 1024, "dropped": 0, "is_open": true}],
    "workers": [{"worker": 0, "is_stuck": false, "connections": 9, "turns": 1234,
                 "buffered_bytes": 4096, "stale_events": 0},
                {"worker": 1, "is_stuck": false, "connections": 3, "turns": 99,
                 "buffered_bytes": 0, "stale_events": 0}],
    "worker_stalls": 0,
    "counters": {"accepted": 100, "echoes": 5000, "bytes_received": 1048576, "bytes_sent": 1048000,
                 "closed_peer_closed": 80, "closed_reset": 8, "paused_full": 0},
    "server_delay": {"count": 10, "sum_s": 0.001,
                     "ranges": [{"le_s": 0.00001, "count": 4}, {"le_s": 0.00002, "count": 6},
                                {"le_s": null, "count": 0}]},
    "log": {"file_level": "debug", "stderr_level": "error", "lines_dropped": 0,
            "write_failures": 0, "trouble": []},
    "process": {"cpu_user_s": 1.5, "cpu_system_s": 2.5, "resident_bytes": 12582912}})");
}

// Two of three connections.
inline nlohmann::json connections_example() {
  return nlohmann::json::parse(R"({
    "total": 3, "offset": 0, "limit": 2, "silent_workers": [],
    "connections": [
      {"id": "0-17-3fa", "peer": "192.0.2.1:40000", "listener": "[::]:2003", "worker": 0,
       "age_s": 3725, "idle_s": 0.01, "bytes_received": 2048, "owed_bytes": 0, "state": "echoing"},
      {"id": "1-2-1", "peer": "[2001:db8::1]:1", "listener": "[::]:2003", "worker": 1,
       "age_s": 1.5, "idle_s": 1.5, "bytes_received": 0, "owed_bytes": 7, "state": "flushing"}]})");
}

}  // namespace echod::test
