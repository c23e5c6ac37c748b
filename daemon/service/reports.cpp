#include "service/reports.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>

#include <array>
#include <chrono>
#include <numeric>

namespace echod {

namespace {

constexpr std::chrono::seconds kDroppedLinesInterval{10};
constexpr std::size_t kLongestCountersLine = 4096;

using Counts = std::array<std::uint64_t, kCounters>;

std::uint64_t count_of(const Counts& counts, Counter counter) noexcept {
  return counts[static_cast<std::size_t>(counter)];
}

// Accepted and not closed.
std::uint64_t open_connections(const Counts& counts) noexcept {
  return count_of(counts, Counter::accepted) -
         std::accumulate(counts.end() - kCloseReasons, counts.end(), std::uint64_t{0});
}

}  // namespace

Reports::Reports(EventLoop& loop, const Workers& workers, const Listeners& listeners,
                 const WorkerWatch& watch, Logs& logs, const ReloadFigures& reloads)
    : loop_(loop),
      workers_(workers),
      listeners_(listeners),
      watch_(watch),
      logs_(logs),
      reloads_(reloads),
      dropped_lines_timer_(loop.timers(), [this] { log_dropped_lines(); }) {
  counters_line_.reserve(kLongestCountersLine);
}

void Reports::start() noexcept {
  dropped_lines_timer_.expire_at(loop_.now() + kDroppedLinesInterval);
}

std::string_view Reports::counters_line() noexcept {
  const Counts counts = workers_.counters();
  counters_line_ = "counters:";
  const auto append = [&line = counters_line_](std::string_view name, std::uint64_t value) {
    const fmt::format_int digits(value);
    line.append(" ").append(name).append("=").append(digits.data(), digits.size());
  };
  for (std::size_t i = 0; i < kCounters; ++i) {
    append(name_of(static_cast<Counter>(i)), counts.at(i));
  }
  append("datagram_queue_dropped", listeners_.dropped_datagrams());
  append("stale_events", workers_.stale_events());
  append("log_lines_dropped", logs_.dropped_lines());
  append("log_write_failures", logs_.write_failures());
  append("reloads", reloads_.applied);
  append("reloads_refused", reloads_.refused);
  append("upgrades", reloads_.upgrades.done);
  append("upgrades_refused", reloads_.upgrades.refused);
  append("upgrades_failed", reloads_.upgrades.failed);
  append("connections", open_connections(counts));
  append("buffered_bytes", workers_.buffered_bytes());
  append("workers", workers_.size());
  append("connections_of_fullest_worker", workers_.most_connections());
  append("worker_stalls", watch_.stalls());
  return counters_line_;
}

std::string Reports::status_line(bool is_stopping) const {
  const Counts counts = workers_.counters();
  const auto text = [&counts](Counter counter) {
    return std::to_string(count_of(counts, counter));
  };
  const std::string datagrams = count_of(counts, Counter::datagrams_received) == 0
                                    ? ""
                                    : ", " + text(Counter::datagrams_echoed) + " datagrams echoed";
  return (is_stopping ? "draining, " : "") + std::to_string(open_connections(counts)) +
         " connections; " + text(Counter::accepted) + " accepted, " + text(Counter::echoes) +
         " echoes, " + text(Counter::bytes_received) + " bytes received, " +
         text(Counter::bytes_sent) + " sent" + datagrams +
         (reloads_.last_error.empty() ? ""
                                      : "; the last reload was refused: " + reloads_.last_error);
}

void Reports::log_totals() noexcept {
  log_dropped_lines();
  logs_.logger()->info(counters_line());
  const Counts counts = workers_.counters();
  logs_.notices().info("stopped: {} connections served, {} bytes received, {} bytes sent",
                       count_of(counts, Counter::accepted),
                       count_of(counts, Counter::bytes_received),
                       count_of(counts, Counter::bytes_sent));
}

void Reports::log_dropped_lines() noexcept {
  const std::uint64_t dropped = logs_.dropped_lines();
  if (dropped > reported_dropped_lines_) {
    logs_.notices().warn(
        "{} log lines were dropped: they came faster than they could be written; "
        "raise log.queue_lines or lower the log level",
        dropped - reported_dropped_lines_);
    reported_dropped_lines_ = dropped;
  }
  dropped_lines_timer_.expire_at(loop_.now() + kDroppedLinesInterval);
}

}  // namespace echod
