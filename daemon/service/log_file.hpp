// Writes log lines to a file that can be reopened at any time, as log rotation requires. Each line
// is one write(2) and is not buffered, so a crash of echod loses no line that was written.
//
// If the file cannot be opened or written, the failure is reported once to the `reports` sink, and
// the recovery once. Meanwhile lines go to the file that was open before, if there is one. New
// lines retry opening the file, at most once a second.
//
// Thread-safety: one thread at a time. Blocks for as long as the disk does, so it needs a thread of
// its own (log_thread.hpp).
#pragma once

#include <spdlog/sinks/sink.h>

#include <memory>
#include <string>

#include "service/line_format.hpp"
#include "sys/append_file.hpp"
#include "sys/clock.hpp"

namespace echod {

class LogFile {
 public:
  // `reports` receives failures of this file, so it must not write to this file.
  explicit LogFile(std::shared_ptr<spdlog::sinks::sink> reports);

  // Opens `path`, or opens it again after a rotation. An empty path closes the file. Returns true
  // if `path` is open. Also reads the time zone again. May throw std::bad_alloc.
  bool open(std::string path);
  // Writes one line; no-op if the path is empty. If the file is a full pipe, waits at most 100 ms,
  // then returns EAGAIN: the caller must call again with the same line. May throw std::bad_alloc.
  [[nodiscard]] sys::IoResult write(const spdlog::details::log_msg& message);

 private:
  bool try_open();
  [[nodiscard]] const char* consequence_of_failed_open() const noexcept;
  // No-op if the failure was reported already, or if one was reported within the last minute.
  void report_failure(const char* consequence);
  void report_recovery();

  std::shared_ptr<spdlog::sinks::sink> reports_;
  LineFormatter formatter_{LineForm::dated};
  std::string path_;
  sys::AppendFile file_;
  int error_ = 0;  // errno of the last open or write that failed; 0 after a successful open.
  sys::TimePoint next_retry_;
  bool is_failure_reported_ = false;
  sys::TimePoint next_report_;
};

}  // namespace echod
