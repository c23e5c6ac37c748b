// A snapshot in which no two numbers are equal, so that a mix-up shows.
// Thread-safety: stateless functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "admin/snapshot.hpp"

namespace echod::test {

// Counter i of worker w has the value 1001 * (w + 1) + i - 1. Connections of listener l in worker
// w: 10 * (w + 1) + l. Range i of the server delay of worker w was counted 100 * (w + 1) + i times.
inline Snapshot filled_snapshot(std::size_t listeners = 2, std::size_t workers = 2,
                                std::size_t datagram_listeners = 1) {
  Snapshot snapshot;
  snapshot.version = "1.2.3";
  snapshot.pid = 4711;
  snapshot.now = 1'764'400'000.125;
  snapshot.phase = Phase::serving;
  snapshot.worker_stalls = 3;
  snapshot.service = {.process_started_at = 1'764'300'000.5,
                      .program_started_at = 1'764'350'000.75,
                      .upgrades = {.done = 12,
                                   .refused = 13,
                                   .failed = 14,
                                   .last_pause_s = 0.03125,
                                   .last_connections = 1204,
                                   .earlier_version = "1.2.2"},
                      .config_name = "/etc/echod.toml",
                      .config_text = "workers = 2\n",
                      .config_loaded_at = 1'764'300'001.25,
                      .reloads_applied = 5,
                      .reloads_refused = 6,
                      .reload_error = "",
                      .max_connections = 5000,
                      .open_files_limit = 5100,
                      .buffer_bytes_limit = 67'108'864};
  for (std::size_t i = 0; i < listeners; ++i) {
    snapshot.listeners.push_back({.address = "[::]:" + std::to_string(2003 + i),
                                  .accepted = 7000 + i,
                                  .waiting = 20 + i,
                                  .queue_limit = 1024 + i,
                                  .dropped = 40 + i,
                                  .is_open = true});
  }
  for (std::size_t i = 0; i < datagram_listeners; ++i) {
    snapshot.datagram_listeners.push_back({.address = "udp [::]:" + std::to_string(2005 + i),
                                           .queued_bytes = 61 + i,
                                           .dropped = 71 + i,
                                           .is_open = true});
  }
  for (std::size_t i = 0; i < workers; ++i) {
    WorkerSnapshot worker;
    worker.turns = 90'000 + i;
    for (std::size_t listener = 0; listener < listeners; ++listener) {
      worker.connections.push_back(10 * (i + 1) + listener);
    }
    worker.buffered_bytes = 65'536 * (i + 1);
    worker.stale_events = i + 1;
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      worker.counters[counter] = 1001 * (i + 1) - 1 + counter;
    }
    for (std::size_t range = 0; range < worker.server_delay.counts.size(); ++range) {
      worker.server_delay.counts[range] = 100 * (i + 1) + range;
    }
    worker.server_delay.sum = std::chrono::milliseconds(1500 * (i + 1));
    snapshot.workers.push_back(worker);
  }
  snapshot.log = {
      .file_level = "debug",
      .stderr_level = "error",
      .lines_dropped = 8,
      .write_failures = 9,
      .trouble = {"2026-11-29 10:00:00,123 - network-server - WARNING - full on [::]:2003"}};
  snapshot.process = {
      .cpu_user_s = 1.5, .cpu_system_s = 2.25, .resident_bytes = 12'345'678, .open_files = 77};
  return snapshot;
}

}  // namespace echod::test
