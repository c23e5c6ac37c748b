#include "log_file.hpp"

#include <system_error>
#include <utility>

#include "logger_name.hpp"

namespace echod {

LogFile::LogFile(std::shared_ptr<spdlog::sinks::sink> complaints)
    : complaints_(std::move(complaints)) {}

bool LogFile::open(const std::string& path) {
  is_failing_ = is_failing_ && path == path_;
  path_ = path;
  file_ = sys::AppendFile();
  if (path.empty()) {
    return false;
  }
  const sys::IoResult opened = file_.open(path);
  if (!opened.ok()) {
    complain_once(opened.error());
  }
  return opened.ok();
}

bool LogFile::write(const spdlog::details::log_msg& message) {
  if (path_.empty() || !file_.is_open()) {
    return path_.empty();
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
