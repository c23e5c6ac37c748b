#include "log_file.hpp"

#include <chrono>
#include <utility>

namespace echod {

namespace {

constexpr std::chrono::seconds kBetweenTries{1};
constexpr std::chrono::minutes kBetweenComplaints{1};

}  // namespace

LogFile::LogFile(std::shared_ptr<spdlog::sinks::sink> complaints)
    : complaints_(std::move(complaints)) {}

bool LogFile::open(std::string path) {
  read_time_zone();  // localtime_r(3) alone does not notice a new /etc/localtime.
  path_ = std::move(path);
  is_failing_ = false;  // Whoever asks is answered.
  next_complaint_ = {};
  if (path_.empty()) {
    file_ = sys::AppendFile();
    return false;
  }
  return try_open();
}

bool LogFile::try_open() {
  next_try_ = sys::MonotonicClock::now() + kBetweenTries;
  error_ = file_.open(path_).error();
  if (error_ != 0) {
    complain_once(consequence_of_no_open());
  }
  return error_ == 0;
}

sys::IoResult LogFile::write(const spdlog::details::log_msg& message) {
  if (path_.empty()) {
    return sys::IoResult::of(0);
  }
  if (error_ != 0 && sys::MonotonicClock::now() >= next_try_) {
    (void)try_open();  // error_ has the result.
  }
  if (!file_.is_open()) {
    complain_once(consequence_of_no_open());  // There may have been no memory for it before.
    return sys::IoResult::failure(error_);
  }
  const sys::IoResult written = file_.write(formatter_.format(message));
  if (!written.ok() && !written.would_block()) {
    error_ = written.error();
    complain_once("log lines are lost until a write succeeds; each new line tries again");
  } else if (written.ok() && error_ == 0 && is_failing_) {
    report_end_of_failure();
  }
  return written;
}

const char* LogFile::consequence_of_no_open() const noexcept {
  return file_.is_open()
             ? "log lines go to the file that was open before; new lines try again, at most "
               "once a second"
             : "log lines are lost until it can be opened; new lines try again, at most "
               "once a second";
}

void LogFile::complain_once(const char* consequence) {
  const sys::TimePoint now = sys::MonotonicClock::now();
  if (is_failing_ || now < next_complaint_) {
    return;
  }
  std::string text = "cannot write the log file " + path_ + ": " + sys::error_text(error_);
  if (error_ == EMLINK) {
    text += " (a link is refused in a directory that other users may write to)";
  }
  text.append("; ").append(consequence);
  complaints_->log({kLoggerName, spdlog::level::err, text});
  is_failing_ = true;
  next_complaint_ = now + kBetweenComplaints;
}

void LogFile::report_end_of_failure() {
  is_failing_ = false;
  const std::string text = "the log file " + path_ + " can be written again";
  complaints_->log({kLoggerName, spdlog::level::info, text});
}

}  // namespace echod
