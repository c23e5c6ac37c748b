#include "service/logs.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <utility>

#include "service/line_format.hpp"
#include "service/log_file.hpp"
#include "service/log_thread.hpp"
#include "service/standard_error.hpp"
#include "sys/shared_stream.hpp"

namespace echod {

namespace {

// Gives lines to a thread, which formats and writes them.
class QueuedSink final : public spdlog::sinks::sink {
 public:
  explicit QueuedSink(std::shared_ptr<LogThread> thread) : thread_(std::move(thread)) {}

  void log(const spdlog::details::log_msg& message) override { thread_->push(message); }
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

 private:
  std::shared_ptr<LogThread> thread_;
};

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
  const std::string directory = list.substr(0, list.find(':'));
  return directory.empty() ? file : directory + '/' + file;
}

std::shared_ptr<LogThread> stderr_thread(std::size_t queue_lines) {
  return std::make_shared<LogThread>(
      "log-stderr", queue_lines,
      [format = std::make_shared<LineFormatter>(
           is_stderr_the_journal() ? LineForm::journal : LineForm::dated)](const auto& message) {
        return sys::write_waiting(STDERR_FILENO, format->format(message));
      });
}

}  // namespace

Logs::Logs(const LogConfig& config)
    : time_zone_at_start_(time_zone()),
      failures_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      stderr_thread_(stderr_thread(config.queue_lines)),
      stderr_(std::make_shared<QueuedSink>(stderr_thread_)),
      notice_stderr_(std::make_shared<QueuedSink>(stderr_thread_)),
      file_(std::make_shared<LogFile>(notice_stderr_)),
      file_thread_(std::make_shared<LogThread>(
          "log-file", config.queue_lines,
          [file = file_](const auto& line) { return file->write(line); })),
      to_file_(std::make_shared<QueuedSink>(file_thread_)),
      logger_(make_logger(stderr_)),
      notices_(make_logger(notice_stderr_)) {
  apply(config);
}

std::shared_ptr<spdlog::logger> Logs::make_logger(const Sink& to_stderr) const {
  auto logger =
      std::make_shared<spdlog::logger>(kLoggerName, spdlog::sinks_init_list{to_file_, to_stderr});
  // spdlog's own handler would write to standard error, and wait for it.
  logger->set_error_handler([failures = failures_](const std::string& /*what*/) { ++*failures; });
  return logger;
}

// The file's thread ends first: it may complain to the other one.
bool Logs::finish() noexcept {
  const bool is_file_done = file_thread_->finish(kPatience / 2);
  return stderr_thread_->finish(kPatience / 2) && is_file_done;
}

void Logs::apply(const LogConfig& config) {
  std::string path = resolved(config.file);
  LogThread::Errand open = [file = file_, path]() mutable { file->open(std::move(path)); };
  if (path != path_) {
    file_thread_->run_next(std::move(open));
    path_ = std::move(path);
  }
  stderr_->set_level(spdlog_level(config.stderr_level));
  to_file_->set_level(path_.empty() ? spdlog::level::off : spdlog_level(config.file_level));
  logger_->set_level(spdlog_level(lowest_level(config)));
}

void Logs::reopen() {
  file_thread_->run_next([file = file_, path = path_, logger = logger_]() mutable {
    if (file->open(std::move(path))) {
      logger->info("log file reopened, time zone {}", time_zone());
    }
  });
}

std::uint64_t Logs::dropped_lines() const noexcept {
  return file_thread_->dropped_lines() + stderr_thread_->dropped_lines();
}

std::uint64_t Logs::lost_lines() const noexcept {
  return file_thread_->lost_lines() + stderr_thread_->lost_lines() + failures_->load();
}

void log_failed_start(const LogConfig& config, std::string_view why) noexcept {
  if (config.file.empty() || config.file_level == LogLevel::off) {
    return;
  }
  try {
    // Standard error has been told by now if the file cannot be opened.
    const auto file = std::make_shared<LogFile>(std::make_shared<spdlog::sinks::null_sink_st>());
    LogThread thread("log-file", 1, [file](const auto& line) { return file->write(line); });
    thread.run_next(
        [file, path = resolved(config.file)]() mutable { file->open(std::move(path)); });
    thread.push({kLoggerName, spdlog::level::critical, "start failed: " + std::string(why)});
    (void)thread.finish(Logs::kPatience);  // There is nobody left to tell.
  } catch (const std::exception&) {        // No memory, no thread.
    return;
  }
}

}  // namespace echod
