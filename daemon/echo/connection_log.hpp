// The words of every log line about connections and accepting. Limits, which all workers share,
// keep peers from filling a disk with them.
//
// Thread-safety: belongs to one worker; the logger behind it never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "clock.hpp"
#include "counters.hpp"
#include "line_limits.hpp"
#include "socket_address.hpp"
#include "timer.hpp"

namespace spdlog {
class logger;
}

namespace echod {

// What there is to say about a connection when it ends.
struct ConnectionSummary {
  const sys::SocketAddress& peer;
  int fd;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  sys::Duration duration;
  CloseReason reason;
  int error;  // errno behind the reason, or 0.
};

// Where lines about connections go.
struct WorkerLogs {
  // NOLINTNEXTLINE(*-explicit-*): one logger serves as both.
  WorkerLogs(const std::shared_ptr<spdlog::logger>& logger) : lines(logger), notices(logger) {}
  WorkerLogs(std::shared_ptr<spdlog::logger> for_lines, std::shared_ptr<spdlog::logger> for_notices)
      : lines(std::move(for_lines)), notices(std::move(for_notices)) {}

  std::shared_ptr<spdlog::logger> lines;
  std::shared_ptr<spdlog::logger> notices;  // Shows on standard error whatever its level.
};

class ConnectionLog {
 public:
  ConnectionLog(WorkerLogs logs, Counters& counters, LineLimits& limits, Timers& timers);

  // Whether echoed() is wanted.
  void set_logs_echoes(bool logs_echoes) noexcept { logs_echoes_ = logs_echoes; }

  // Lines about single connections. `now` is the loop's.
  void opened(const sys::SocketAddress& peer, int fd, sys::TimePoint now) noexcept;
  void closed(const ConnectionSummary& summary, sys::TimePoint now) noexcept;
  // One for each message; ask logs_echoes() first, which costs nothing.
  [[nodiscard]] bool logs_echoes() const noexcept { return logs_echoes_; }
  void echoed(const sys::SocketAddress& peer, int fd, std::size_t in, std::size_t out,
              sys::TimePoint now) noexcept;

  // Says how many of these lines were left out, if any were since it last said so. A timer calls
  // this when their second is over.
  void report_suppressed() noexcept;

  // Lines about accepting; each kind at most once a minute, whatever happens. What keeps clients
  // from being served is a notice.
  void paused_full(const sys::SocketAddress& listener, std::uint32_t max_connections,
                   sys::TimePoint now) noexcept;
  void paused_resources(const sys::SocketAddress& listener, int error, std::uint32_t connections,
                        sys::TimePoint now) noexcept;
  // No client waits any longer: told once, a minute after one of the two above or later.
  void accepts_again(std::uint32_t connections, sys::TimePoint now) noexcept;
  // As paused_resources(), but while stopping: no operator can help, and all clients are served as
  // connections end.
  void paused_emptying(const sys::SocketAddress& listener, int error, std::uint32_t connections,
                       sys::TimePoint now) noexcept;
  void accept_failed(const sys::SocketAddress& listener, int error, sys::TimePoint now) noexcept;
  void register_failed(const sys::SocketAddress& peer, int error, sys::TimePoint now) noexcept;
  void listener_lost(const sys::SocketAddress& listener, int error) noexcept;

 private:
  using Seldom = LineLimits::Seldom;

  // Whether there was memory for it.
  template <typename Write>
  bool unless_out_of_memory(Write write) noexcept;
  // A line of which only the first in a minute is written.
  template <typename Write>
  void seldom(Seldom kind, sys::TimePoint now, Write write) noexcept;
  [[nodiscard]] bool admits_line(sys::TimePoint now) noexcept;
  void report_left_out(std::uint64_t lines) noexcept;

  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> notices_;
  Counters& counters_;
  LineLimits& limits_;
  bool logs_echoes_ = false;
  Timer window_end_;  // Runs while there is a number to report.
};

}  // namespace echod
