#include "service/logs.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "config/key_type.hpp"
#include "config/unit_directory.hpp"
#include "service/line_format.hpp"
#include "service/log_file.hpp"
#include "service/log_thread.hpp"
#include "service/recent_lines.hpp"
#include "service/standard_error.hpp"
#include "sys/shared_stream.hpp"

namespace echod {

namespace {

// Queues lines for a LogThread, which formats and writes them.
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

LogLevel log_level(spdlog::level::level_enum level) noexcept {
  return static_cast<LogLevel>(level);
}

// Puts a relative name into $LOGS_DIRECTORY, if that is set.
std::string resolved_path(const std::string& file) {
  const std::string directory = unit_directory("LOGS_DIRECTORY");
  const bool is_relative = !file.empty() && file.front() != '/';
  return is_relative && !directory.empty() ? directory + '/' + file : file;
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
      memory_failures_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      stderr_thread_(stderr_thread(config.queue_lines)),
      stderr_sink_(std::make_shared<QueuedSink>(stderr_thread_)),
      notice_stderr_sink_(std::make_shared<QueuedSink>(stderr_thread_)),
      file_(std::make_shared<LogFile>(notice_stderr_sink_)),
      file_thread_(std::make_shared<LogThread>(
          "log-file", config.queue_lines,
          [file = file_](const auto& line) { return file->write(line); })),
      file_sink_(std::make_shared<QueuedSink>(file_thread_)),
      trouble_(std::make_shared<RecentLines>()),
      logger_(make_logger(stderr_sink_)),
      notices_(make_logger(notice_stderr_sink_)) {
  apply(config);
}

std::shared_ptr<spdlog::logger> Logs::make_logger(const Sink& stderr_sink) const {
  auto logger = std::make_shared<spdlog::logger>(
      kLoggerName, spdlog::sinks_init_list{file_sink_, stderr_sink, trouble_});
  // spdlog's default handler writes to standard error, which may block.
  logger->set_error_handler(
      [failures = memory_failures_](const std::string& /*what*/) { ++*failures; });
  return logger;
}

void Logs::write_queued(std::chrono::milliseconds timeout) noexcept {
  (void)file_thread_->wait_written(timeout / 2);
  (void)stderr_thread_->wait_written(timeout / 2);
}

// The file's thread ends first, because it may report failures to the thread of standard error.
bool Logs::finish() noexcept {
  const bool is_file_done = file_thread_->finish(kFinishTimeout / 2);
  return stderr_thread_->finish(kFinishTimeout / 2) && is_file_done;
}

void Logs::apply(const LogConfig& config) {
  std::string path = resolved_path(config.file);
  LogThread::Task open = [file = file_, path]() mutable { file->open(std::move(path)); };
  if (path != path_) {
    file_thread_->run_next(std::move(open));
    path_ = std::move(path);
  }
  has_file_.store(!path_.empty());
  stderr_sink_->set_level(spdlog_level(config.stderr_level));
  file_sink_->set_level(path_.empty() ? spdlog::level::off : spdlog_level(config.file_level));
  logger_->set_level(std::min(spdlog_level(lowest_level(config)), trouble_->level()));
}

void Logs::reopen() {
  file_thread_->run_next([file = file_, path = path_, logger = logger_]() mutable {
    if (file->open(std::move(path))) {
      logger->info("log file reopened, time zone {}", time_zone());
    }
  });
}

LogSnapshot Logs::figures() const {
  LogSnapshot figures;
  figures.has_file = has_file_.load();
  figures.file_level = level_name(log_level(file_sink_->level()));
  figures.stderr_level = level_name(log_level(stderr_sink_->level()));
  figures.lines_dropped = dropped_lines();
  figures.write_failures = write_failures();
  return figures;
}

std::vector<std::string> Logs::trouble() const {
  return trouble_->lines();
}

void Logs::restore(std::uint64_t dropped, std::uint64_t failures) noexcept {
  dropped_before_ = dropped;
  *memory_failures_ += failures;
}

std::uint64_t Logs::dropped_lines() const noexcept {
  return dropped_before_ + file_thread_->dropped_lines() + stderr_thread_->dropped_lines();
}

std::uint64_t Logs::write_failures() const noexcept {
  return file_thread_->write_failures() + stderr_thread_->write_failures() +
         memory_failures_->load();
}

void log_failed_start(const LogConfig& config, std::string_view why) noexcept {
  if (config.file.empty() || config.file_level == LogLevel::off) {
    return;
  }
  try {
    // A null sink: what the operator needs is the reason of the failed start, not of a failed open.
    const auto file = std::make_shared<LogFile>(std::make_shared<spdlog::sinks::null_sink_st>());
    LogThread thread("log-file", 1, [file](const auto& line) { return file->write(line); });
    thread.run_next(
        [file, path = resolved_path(config.file)]() mutable { file->open(std::move(path)); });
    thread.push({kLoggerName, spdlog::level::critical, "start failed: " + std::string(why)});
    (void)thread.finish(Logs::kFinishTimeout);  // A timeout cannot be reported.
  } catch (const std::exception&) {  // Without memory or a thread the log file lacks the line.
    return;
  }
}

}  // namespace echod
