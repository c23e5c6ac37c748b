// Writes the log lines about connections and accepting. Limits that all workers share keep peers
// from filling a disk with them.
//
// Thread-safety: belongs to one worker. Never blocks: the logger only queues lines.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "config/net/socket_address.hpp"
#include "loop/timer.hpp"
#include "sys/clock.hpp"
#include "telemetry/counters.hpp"
#include "telemetry/line_limits.hpp"

namespace spdlog {
class logger;
}

namespace echod {

// What is logged about a connection when it ends.
struct ConnectionSummary {
  const SocketAddress& peer;
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
  std::shared_ptr<spdlog::logger>
      notices;  // Goes to standard error, even if stderr_level is higher.
};

class ConnectionLog {
 public:
  ConnectionLog(WorkerLogs logs, Counters& counters, LineLimits& limits, Timers& timers);

  // Whether to write a line for each message.
  void set_logs_echoes(bool logs_echoes) noexcept { logs_echoes_ = logs_echoes; }

  // Lines about single connections. `now` is the loop's.
  void opened(const SocketAddress& peer, int fd, sys::TimePoint now) noexcept;
  void closed(const ConnectionSummary& summary, sys::TimePoint now) noexcept;
  // One line for each message. Check logs_echoes() first, which is cheap.
  [[nodiscard]] bool logs_echoes() const noexcept { return logs_echoes_; }
  void echoed(const SocketAddress& peer, int fd, std::size_t in, std::size_t out,
              sys::TimePoint now) noexcept;

  // Logs how many of these lines were suppressed since the last report, if any were. A timer calls
  // this when the one-second window ends.
  void report_suppressed() noexcept;

  // Lines about accepting. Each kind is logged at most once a minute, listener_lost() always. A
  // line about a problem that keeps clients waiting is a notice. `listener` is its name.
  void paused_full(std::string_view listener, std::uint32_t max_connections,
                   sys::TimePoint now) noexcept;
  void paused_resources(std::string_view listener, int error, std::uint32_t connections,
                        sys::TimePoint now) noexcept;
  // Logs that no client waits: once, a minute or more after paused_full() or paused_resources().
  void accepts_again(std::uint32_t connections, sys::TimePoint now) noexcept;
  // As paused_resources(), but while stopping: no action is needed, because all clients
  // are served as connections end.
  void paused_emptying(std::string_view listener, int error, std::uint32_t connections,
                       sys::TimePoint now) noexcept;
  void accept_failed(std::string_view listener, int error, sys::TimePoint now) noexcept;
  void register_failed(const SocketAddress& peer, int error, sys::TimePoint now) noexcept;
  // A UDP socket could not be read, and is tried again.
  void datagrams_failed(const SocketAddress& listener, int error, sys::TimePoint now) noexcept;
  void listener_lost(std::string_view listener, int error) noexcept;

 private:
  using RareLine = LineLimits::RareLine;

  // Returns false if there was no memory for the line.
  template <typename Write>
  bool unless_out_of_memory(Write write) noexcept;
  // Writes only the first line of this kind in a minute.
  template <typename Write>
  void log_rarely(RareLine kind, sys::TimePoint now, Write write) noexcept;
  [[nodiscard]] bool admits_line(sys::TimePoint now) noexcept;
  void log_suppressed(std::uint64_t lines) noexcept;

  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> notices_;
  Counters& counters_;
  LineLimits& limits_;
  bool logs_echoes_ = false;
  Timer window_end_;  // Runs while suppressed lines are to be reported.
};

}  // namespace echod
