// Whether a load run was good enough, and why not.
// Thread-safety: functions without state.
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

// The percentiles that reports have.
struct Percentile {
  const char* name;
  double percent;
};
inline constexpr std::array kReportedPercentiles{
    Percentile{"p50", 50},     Percentile{"p90", 90},       Percentile{"p99", 99},
    Percentile{"p99.9", 99.9}, Percentile{"p99.99", 99.99}, Percentile{"max", 100}};

struct LimitOutcome {
  Limit limit;
  // A latency in nanoseconds, echoes per second, or errors; nothing if there were too few samples.
  std::optional<double> measured;
  bool is_met = false;
};

struct Verdict {
  std::vector<LimitOutcome> limits;   // As options.limits.
  std::vector<std::string> failures;  // A line each; none: the run passed.
  std::vector<std::string> warnings;  // Reasons not to trust the figures.

  [[nodiscard]] bool has_passed() const noexcept { return failures.empty(); }
};

[[nodiscard]] Verdict verdict_on(const Options& options, const LoadResult& result);

// The verdict on a run that could not begin.
[[nodiscard]] Verdict could_not_begin(const std::string& reason);

[[nodiscard]] double seconds(std::chrono::nanoseconds time) noexcept;

// How long a step of result.steps was measured.
[[nodiscard]] std::chrono::nanoseconds time_of_step(std::size_t step, const Options& options,
                                                    const LoadResult& result) noexcept;
// The first of result.steps that did not keep up: fewer than 99 % of what was due came back in its
// time, or its median latency is more than ten times the lowest before. All of them: as many as
// there are.
[[nodiscard]] std::size_t first_over_the_knee(const LoadResult& result) noexcept;

// How many connections the rate needs; nothing if there are enough. By Little's law that is rate x
// service time / depth, plus a reserve: at most nine tenths of the connections may be busy. With
// steps: the rate of the first step over the knee, with the service time of the step before.
[[nodiscard]] std::optional<std::uint64_t> connections_needed(const Options& options,
                                                              const LoadResult& result) noexcept;

// Of the client's busiest thread, the share of the window; 0 if there is none.
[[nodiscard]] double busiest_share(const LoadResult& result) noexcept;
// Of the server, in microseconds; nothing if it is not known, or there was no echo.
[[nodiscard]] std::optional<double> cpu_us_per_echo(const LoadResult& result) noexcept;
// Echoes per second in the window.
[[nodiscard]] double rate_of(const LoadResult& result) noexcept;
// `amount` per second of the window.
[[nodiscard]] double per_second(std::uint64_t amount, const LoadResult& result) noexcept;

}  // namespace echod::client
