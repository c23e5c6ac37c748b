#include "telemetry/connection_log.hpp"

#include <spdlog/logger.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "sys/io_result.hpp"

namespace echod {

namespace {

double seconds(sys::Duration duration) noexcept {
  return std::chrono::duration<double>(duration).count();
}

// What to do about an error of accept4(2); may be empty.
const char* remedy_of(int error) noexcept {
  switch (error) {
    case EMFILE:
      return "; raise ulimit -n or LimitNOFILE=, or lower limits.max_connections";
    case ENFILE:
      return "; raise fs.file-max";
    case ENOBUFS:
    case ENOMEM:
      return "; free memory on this host, or raise the memory limit of echod";
    default:
      return "";
  }
}

}  // namespace

// Formatting allocates memory for long lines and addresses. Without memory the line is lost, and
// the connection continues.
template <typename Write>
bool ConnectionLog::unless_out_of_memory(Write write) noexcept {
  try {
    write();
    return true;
  } catch (const std::bad_alloc&) {
    counters_.add(Counter::connection_lines_suppressed);
    return false;
  }
}

template <typename Write>
void ConnectionLog::log_rarely(RareLine kind, sys::TimePoint now, Write write) noexcept {
  if (limits_.admits_rare(kind, now) && !unless_out_of_memory(write)) {
    limits_.readmit_rare(kind);
  }
}

ConnectionLog::ConnectionLog(WorkerLogs logs, Counters& counters, LineLimits& limits,
                             Timers& timers)
    : logger_(std::move(logs.lines)),
      notices_(std::move(logs.notices)),
      counters_(counters),
      limits_(limits),
      window_end_(timers, [this] { report_suppressed(); }) {}

void ConnectionLog::opened(const SocketAddress& peer, int fd, sys::TimePoint now) noexcept {
  if (logger_->should_log(spdlog::level::debug) && admits_line(now)) {
    unless_out_of_memory([&] { logger_->debug("open peer={} fd={}", peer.text(), fd); });
  }
}

void ConnectionLog::closed(const ConnectionSummary& summary, sys::TimePoint now) noexcept {
  if (!logger_->should_log(spdlog::level::debug) || !admits_line(now)) {
    return;
  }
  unless_out_of_memory([&] {
    logger_->debug(
        "close peer={} fd={} in={} out={} duration={:.3f}s reason={}{}", summary.peer.text(),
        summary.fd, summary.bytes_received, summary.bytes_sent, seconds(summary.duration),
        name_of(summary.reason),
        summary.error != 0 ? std::string(" (") + sys::error_text(summary.error) + ')' : "");
  });
}

void ConnectionLog::echoed(const SocketAddress& peer, int fd, std::size_t in, std::size_t out,
                           sys::TimePoint now) noexcept {
  if (admits_line(now)) {
    unless_out_of_memory(
        [&] { logger_->trace("echo peer={} fd={} in={} out={}", peer.text(), fd, in, out); });
  }
}

void ConnectionLog::paused_full(std::string_view listener, std::uint32_t max_connections,
                                sys::TimePoint now) noexcept {
  log_rarely(RareLine::full, now, [&] {
    notices_->warn(
        "full on {}: the limit of {} connections is reached; new clients wait in the backlog until "
        "a connection closes; raise limits.max_connections, or if it is 0, ulimit -n or "
        "LimitNOFILE=",
        listener, max_connections);
  });
}

void ConnectionLog::paused_resources(std::string_view listener, int error,
                                     std::uint32_t connections, sys::TimePoint now) noexcept {
  log_rarely(RareLine::resources, now, [&] {
    notices_->error(
        "cannot accept on {}: {}; {} connections stay open, new clients wait in the backlog{}",
        listener, sys::error_text(error), connections, remedy_of(error));
  });
}

void ConnectionLog::accepts_again(std::uint32_t connections, sys::TimePoint now) noexcept {
  if (limits_.admits_end_of_shortage(now)) {
    unless_out_of_memory([&] {
      notices_->info("accepting again: {} connections, no client is waiting", connections);
    });
  }
}

void ConnectionLog::paused_emptying(std::string_view listener, int error, std::uint32_t connections,
                                    sys::TimePoint now) noexcept {
  log_rarely(RareLine::emptying, now, [&] {
    logger_->info(
        "stopping: clients wait in the backlog of {} ({}); they are served as the {} connections "
        "end",
        listener, sys::error_text(error), connections);
  });
}

void ConnectionLog::accept_failed(std::string_view listener, int error,
                                  sys::TimePoint now) noexcept {
  log_rarely(RareLine::accept_failed, now, [&] {
    logger_->warn(
        "a connection to {} was lost before it was accepted: {}; other connections are not "
        "affected",
        listener, sys::error_text(error));
  });
}

void ConnectionLog::register_failed(const SocketAddress& peer, int error,
                                    sys::TimePoint now) noexcept {
  log_rarely(RareLine::register_failed, now, [&] {
    notices_->error("cannot add the connection from {} to epoll: {}; it is closed{}", peer.text(),
                    sys::error_text(error),
                    error == ENOSPC ? "; raise fs.epoll.max_user_watches" : "");
  });
}

void ConnectionLog::datagrams_failed(const SocketAddress& listener, int error,
                                     sys::TimePoint now) noexcept {
  log_rarely(RareLine::datagrams_failed, now, [&] {
    notices_->error("cannot receive on udp {}: {}; datagrams wait in its queue; trying again",
                    listener.text(), sys::error_text(error));
  });
}

void ConnectionLog::listener_lost(std::string_view listener, int error) noexcept {
  unless_out_of_memory([&] {
    notices_->critical(
        "the listening socket {} failed: {}; stopping, so that a restart can open it again",
        listener, sys::error_text(error));
  });
}

void ConnectionLog::report_suppressed() noexcept {
  window_end_.cancel();
  log_suppressed(limits_.fetch_suppressed());
}

void ConnectionLog::log_suppressed(std::uint64_t lines) noexcept {
  if (lines > 0) {
    unless_out_of_memory([&] {
      logger_->info(
          "{} log lines about connections were suppressed; log.connection_lines_per_second = {}",
          lines, limits_.per_second());
    });
  }
}

bool ConnectionLog::admits_line(sys::TimePoint now) noexcept {
  const LineLimits::Verdict verdict = limits_.admit(now);
  if (verdict.suppressed > 0) {
    window_end_.cancel();
    log_suppressed(verdict.suppressed);
  }
  if (verdict.is_first_suppressed) {
    window_end_.expire_at(verdict.end_of_second);
  }
  if (!verdict.admits) {
    counters_.add(Counter::connection_lines_suppressed);
  }
  return verdict.admits;
}

}  // namespace echod
