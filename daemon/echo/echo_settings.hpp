// The configuration as a worker uses it. Values that mean "automatic" (workers = 0, max_connections
// = 0) are replaced by numbers.
// Thread-safety: a value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "config/config.hpp"

namespace echod {

// When and how much a worker splices (relay.hpp). Sizes are those of a round.
struct SpliceSettings {
  std::size_t pipes = 0;                             // Number of pipes; 0: everything is copied.
  std::size_t pipe_bytes = std::size_t{256} * 1024;  // Size of a pipe.
  std::size_t least_bytes = std::size_t{64} * 1024;  // Smaller rounds are copied.
  // Spliced rounds that may pin memory (pinned_rounds.hpp): of a connection, and of all
  // connections of all workers.
  std::uint8_t most_rounds = 16;
  std::size_t most_rounds_in_all = 0;
  std::uint8_t patience = 3;  // After so many small rounds in a row the relay stops asking.
  // After a splice that moved small pieces, or that the kernel refused, so many rounds are copied.
  std::uint8_t copies_after_small_pieces = 64;
};

struct EchoSettings {
  std::uint32_t max_connections = 0;  // Of all workers together.
  std::size_t block_bytes = 0;  // Reply buffer of one connection, and the most that one read takes.
  std::size_t buffer_bytes = 0;  // All reply buffers of one worker.
  std::size_t turn_bytes = 0;
  std::uint32_t turn_reads = 0;
  std::uint32_t turn_accepts = 0;
  std::chrono::microseconds busy_poll{0};
  TimeoutsConfig timeouts;
  SpliceSettings splice;
  std::uint32_t datagrams_per_source = 0;  // In a second, of a worker; 0: no limit.
  std::uint32_t log_lines_per_second = 0;  // Of all workers together; 0: no limit.
  std::uint32_t reads_per_sample = 64;     // One read in so many is timed (relay.hpp); 0: none.
  bool logs_echoes = false;                // Whether anything would print a line for each message.
};

// Returns the settings of each worker. Workers have equal shares of the reply buffers.
// `max_connections` and `splice` are what the limits of the process allow; see
// connection_limit.hpp.
[[nodiscard]] inline EchoSettings echo_settings(const Config& config, std::uint32_t max_connections,
                                                std::uint32_t workers,
                                                const SpliceSettings& splice = {}) noexcept {
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
      .splice = splice,
      .datagrams_per_source = config.limits.datagrams_per_source,
      .log_lines_per_second = config.log.connection_lines_per_second,
      .logs_echoes = lowest_level(config.log) == LogLevel::trace,
  };
}

}  // namespace echod
