#include "service/log_file.hpp"

#include <chrono>
#include <utility>

namespace echod {

namespace {

constexpr std::chrono::seconds kRetryInterval{1};
constexpr std::chrono::minutes kReportInterval{1};

}  // namespace

LogFile::LogFile(std::shared_ptr<spdlog::sinks::sink> reports) : reports_(std::move(reports)) {}

bool LogFile::open(std::string path) {
  read_time_zone();  // localtime_r(3) alone does not notice a changed /etc/localtime.
  path_ = std::move(path);
  is_failure_reported_ = false;  // A failure after an explicit request is always reported.
  next_report_ = {};
  if (path_.empty()) {
    file_ = sys::AppendFile();
    return false;
  }
  return try_open();
}

bool LogFile::try_open() {
  next_retry_ = sys::MonotonicClock::now() + kRetryInterval;
  error_ = file_.open(path_).error();
  if (error_ != 0) {
    report_failure(consequence_of_failed_open());
  }
  return error_ == 0;
}

sys::IoResult LogFile::write(const spdlog::details::log_msg& message) {
  if (path_.empty()) {
    return sys::IoResult::of(0);
  }
  if (error_ != 0 && sys::MonotonicClock::now() >= next_retry_) {
    (void)try_open();  // error_ has the result.
  }
  if (!file_.is_open()) {
    report_failure(consequence_of_failed_open());  // If the first attempt ran out of memory.
    return sys::IoResult::failure(error_);
  }
  const sys::IoResult written = file_.write(formatter_.format(message));
  if (!written.ok() && !written.would_block()) {
    error_ = written.error();
    report_failure("log lines are lost until a write succeeds; each new line tries again");
  } else if (written.ok() && error_ == 0 && is_failure_reported_) {
    report_recovery();
  }
  return written;
}

const char* LogFile::consequence_of_failed_open() const noexcept {
  return file_.is_open()
             ? "log lines go to the file that was open before; new lines try again, at most "
               "once a second"
             : "log lines are lost until it can be opened; new lines try again, at most "
               "once a second";
}

void LogFile::report_failure(const char* consequence) {
  const sys::TimePoint now = sys::MonotonicClock::now();
  if (is_failure_reported_ || now < next_report_) {
    return;
  }
  std::string text = "cannot write the log file " + path_ + ": " + sys::error_text(error_);
  if (error_ == EMLINK) {
    text += " (a link is refused in a directory that other users may write to)";
  }
  text.append("; ").append(consequence);
  reports_->log({kLoggerName, spdlog::level::err, text});
  is_failure_reported_ = true;
  next_report_ = now + kReportInterval;
}

void LogFile::report_recovery() {
  is_failure_reported_ = false;
  const std::string text = "the log file " + path_ + " can be written again";
  reports_->log({kLoggerName, spdlog::level::info, text});
}

}  // namespace echod
