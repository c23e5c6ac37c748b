// What a worker needs of the configuration, resolved: no value here means "work it out".
// Thread-safety: a value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "config.hpp"

namespace echod {

struct EchoSettings {
  std::uint32_t max_connections = 0;  // Of all workers together.
  std::size_t block_bytes = 0;  // Reply buffer of one connection, and the most that one read takes.
  std::size_t buffer_bytes = 0;  // All its reply buffers.
  std::size_t turn_bytes = 0;
  std::uint32_t turn_reads = 0;
  std::uint32_t turn_accepts = 0;
  std::chrono::microseconds busy_poll{0};
  TimeoutsConfig timeouts;
  std::uint32_t log_lines_per_second = 0;  // Of all workers together; 0: no limit.
  bool logs_echoes = false;                // Whether anything would print a line for each message.
};

// For each of so many workers, which have equal shares of the reply buffers. `max_connections` is
// what the limits of the process allow; see connection_limit.hpp.
[[nodiscard]] inline EchoSettings echo_settings(const Config& config, std::uint32_t max_connections,
                                                std::uint32_t workers) noexcept {
  constexpr std::size_t kKib = 1024;
  constexpr std::size_t kMib = 1024 * kKib;
  return {
      .max_connections = max_connections,
      .block_bytes = config.buffers.per_connection_kib * kKib,
      .buffer_bytes = config.buffers.total_mib * kMib / workers,
      .turn_bytes = config.turn.bytes_kib * kKib,
      .turn_reads = config.turn.reads,
      .turn_accepts = config.turn.accepts,
      .busy_poll = config.busy_poll,
      .timeouts = config.timeouts,
      .log_lines_per_second = config.log.connection_lines_per_second,
      .logs_echoes = lowest_level(config.log) == LogLevel::trace,
  };
}

}  // namespace echod
