#include "log_file_sink.hpp"

#include <system_error>
#include <utility>

#include "line_format.hpp"
#include "logger_name.hpp"

namespace echod {

LogFileSink::LogFileSink(std::shared_ptr<spdlog::sinks::sink> complaints)
    : base_sink(line_format(false)), complaints_(std::move(complaints)) {}

void LogFileSink::open(const std::string& path) {
  std::string wanted = path;  // Nothing has changed if there is no memory for it.
  const std::scoped_lock lock(mutex_);
  is_failing_ = is_failing_ && path == path_;
  path_.swap(wanted);
  file_ = sys::AppendFile();
  if (path.empty()) {
    return;
  }
  if (const sys::IoResult opened = file_.open(path); !opened.ok()) {
    complain_once(opened.error());
  }
}

bool LogFileSink::is_open() {
  const std::scoped_lock lock(mutex_);
  return file_.is_open();
}

void LogFileSink::sink_it_(const spdlog::details::log_msg& message) {
  if (path_.empty()) {
    return;
  }
  if (!file_.is_open()) {
    lost_lines_.fetch_add(1);
    return;
  }
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  const sys::IoResult written = file_.write({line.data(), line.size()});
  if (written.ok()) {
    is_failing_ = false;
  } else {
    lost_lines_.fetch_add(1);
    complain_once(written.error());
  }
}

void LogFileSink::complain_once(int error) {
  if (std::exchange(is_failing_, true)) {
    return;
  }
  const std::string text = "cannot write the log file " + path_ + ": " +
                           std::system_category().message(error) +
                           "; echoing goes on, lines are lost until it can be written (SIGUSR1 "
                           "opens it anew)";
  complaints_->log({kLoggerName, spdlog::level::err, text});
}

}  // namespace echod
