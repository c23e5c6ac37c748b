// Decides whether a load run passed, and says why not.
// Thread-safety: stateless functions.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// The percentiles in reports.
struct Percentile {
  const char* name;
  double percent;
};
inline constexpr std::array kReportedPercentiles{
    Percentile{"p50", 50},     Percentile{"p90", 90},       Percentile{"p99", 99},
    Percentile{"p99.9", 99.9}, Percentile{"p99.99", 99.99}, Percentile{"max", 100}};

struct LimitOutcome {
  Limit limit;
  // A latency in nanoseconds, a rate in echoes per second, a number of errors, or lost datagrams in
  // percent. Empty if there were too few samples.
  std::optional<double> measured;
  bool is_met = false;
};

struct Verdict {
  std::vector<LimitOutcome> limits;   // One for each of options.limits.
  std::vector<std::string> failures;  // One line each. Empty if the run passed.
  std::vector<std::string> warnings;  // Reasons not to trust the figures.

  [[nodiscard]] bool has_passed() const noexcept { return failures.empty(); }
};

[[nodiscard]] Verdict verdict_on(const Options& options, const LoadResult& result);

// The verdict on a run that could not begin.
[[nodiscard]] Verdict could_not_begin(const std::string& reason);

[[nodiscard]] double seconds(std::chrono::nanoseconds time) noexcept;

// How long step number `step` was measured.
[[nodiscard]] std::chrono::nanoseconds time_of_step(std::size_t step, const Options& options,
                                                    const LoadResult& result) noexcept;
// The index of the first step that did not keep up. If all steps kept up, returns their number. A
// step keeps up if at least 99 % as many messages came back in its time as were due in it (one may
// be missing), and if its median latency is at most ten times the lowest median of an earlier step.
[[nodiscard]] std::size_t first_over_the_knee(const LoadResult& result) noexcept;

// How many connections the rate needs. Empty if there are enough. By Little's law the rate needs
// rate x service time / depth connections; at most 90 % of the connections may be busy. With steps,
// uses the rate of the first step that did not keep up and the service time of the step before.
[[nodiscard]] std::optional<std::uint64_t> connections_needed(const Options& options,
                                                              const LoadResult& result) noexcept;

// The share of the window that the busiest worker thread was running or waiting for a CPU. 0 if
// there are no threads.
[[nodiscard]] double busiest_share(const LoadResult& result) noexcept;
// The server's CPU time per echo, in microseconds. Empty if unknown or if there were no echoes.
[[nodiscard]] std::optional<double> cpu_us_per_echo(const LoadResult& result) noexcept;
// Echoes per second in the window.
[[nodiscard]] double rate_of(const LoadResult& result) noexcept;
// `amount` per second of the window.
[[nodiscard]] double per_second(std::uint64_t amount, const LoadResult& result) noexcept;

}  // namespace echod::client
