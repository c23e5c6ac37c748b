#include "log_file.hpp"

#include <system_error>
#include <utility>

namespace echod {

LogFile::LogFile(std::shared_ptr<spdlog::sinks::sink> complaints)
    : complaints_(std::move(complaints)) {}

bool LogFile::open(std::string path) {
  is_failing_ = is_failing_ && path == path_;
  path_ = std::move(path);
  file_ = sys::AppendFile();
  if (path_.empty()) {
    return false;
  }
  open_error_ = file_.open(path_).error();
  if (open_error_ != 0) {
    complain_once(open_error_);
  }
  return open_error_ == 0;
}

bool LogFile::write(const spdlog::details::log_msg& message) {
  if (path_.empty()) {
    return true;
  }
  if (!file_.is_open()) {
    complain_once(open_error_);  // There may have been no memory for it before.
    return false;
  }
  const sys::IoResult written = file_.write(formatter_.format(message));
  if (written.ok()) {
    is_failing_ = false;
  } else {
    complain_once(written.error());
  }
  return written.ok();
}

void LogFile::complain_once(int error) {
  if (is_failing_) {
    return;
  }
  const std::string text = "cannot write the log file " + path_ + ": " +
                           std::system_category().message(error) +
                           "; echoing goes on, lines are lost until it can be written (SIGUSR1 "
                           "opens it anew)";
  complaints_->log({kLoggerName, spdlog::level::err, text});
  is_failing_ = true;
}

}  // namespace echod
