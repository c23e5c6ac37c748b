#include "logs.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>

#include <cstdlib>
#include <system_error>

#include "log_file_sink.hpp"
#include "logger_name.hpp"
#include "stderr_sink.hpp"

namespace echod {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  static_assert(static_cast<int>(LogLevel::trace) == SPDLOG_LEVEL_TRACE);
  static_assert(static_cast<int>(LogLevel::off) == SPDLOG_LEVEL_OFF);
  return static_cast<spdlog::level::level_enum>(level);
}

// systemd.exec(5): $LOGS_DIRECTORY is what LogsDirectory= made, the first of them before a colon.
std::string resolved(const std::string& file) {
  const char* const directories = std::getenv("LOGS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  if (file.empty() || file.front() == '/' || directories == nullptr) {
    return file;
  }
  const std::string list(directories);
  return list.substr(0, list.find(':')) + '/' + file;
}

std::shared_ptr<spdlog::details::thread_pool> start_writer(std::size_t queue_lines) {
  try {
    return std::make_shared<spdlog::details::thread_pool>(queue_lines, 1);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start the thread that writes the log");
  }
}

std::shared_ptr<spdlog::logger> async_logger(
    std::initializer_list<spdlog::sink_ptr> sinks,
    const std::shared_ptr<spdlog::details::thread_pool>& writer) {
  return std::make_shared<spdlog::async_logger>(kLoggerName, sinks, writer,
                                                spdlog::async_overflow_policy::overrun_oldest);
}

}  // namespace

Logs::Logs(const LogConfig& config)
    : stderr_(std::make_shared<StderrSink>()),
      notice_stderr_(std::make_shared<StderrSink>()),
      file_(std::make_shared<LogFileSink>(notice_stderr_)),
      writer_(start_writer(config.queue_lines)),
      logger_(async_logger({file_, stderr_}, writer_)),
      notices_(async_logger({file_, notice_stderr_}, writer_)) {
  apply(config);
}

// The writing thread ends first, with its queue, whose lines hold the loggers: otherwise the last
// one of them could be destroyed there.
void Logs::finish() noexcept {
  writer_.reset();
}

// All of it or, if there is no memory, nothing.
void Logs::apply(const LogConfig& config) {
  file_->open(resolved(config.file));
  stderr_->set_level(spdlog_level(config.stderr_level));
  file_->set_level(spdlog_level(config.file_level));
  logger_->set_level(spdlog_level(lowest_level(config)));
}

bool Logs::is_file_open() const {
  return file_->is_open();
}

std::uint64_t Logs::dropped_lines() const {
  return writer_->overrun_counter();
}

std::uint64_t Logs::lost_lines() const noexcept {
  return file_->lost_lines() + stderr_->lost_lines() + notice_stderr_->lost_lines();
}

}  // namespace echod
