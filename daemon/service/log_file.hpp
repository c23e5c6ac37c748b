// Log lines to a file that can be reopened while it is written to, which is what rotation needs.
// One write(2) a line, nothing kept back: a crash loses nothing that was logged.
//
// A file that cannot be opened or written is reported once, through `complaints`, until it can be
// written again, which is reported too. Meanwhile lines go to the file that was open before, if
// there is one and it takes them. A line opens the file anew, at most once a second.
//
// Blocks as long as the disk does: for a thread of its own (log_thread.hpp). Thread-safety: one
// thread at a time.
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
  // `complaints` is a sink that does not depend on this file.
  explicit LogFile(std::shared_ptr<spdlog::sinks::sink> complaints);

  // Opens `path`, or the same path anew; an empty one closes the file for good. Returns whether
  // that file is open now. A changed time zone holds from here on. May throw std::bad_alloc.
  bool open(std::string path);
  // Succeeds if there is no file to write to. Waits for room in a pipe for at most 100 ms: EAGAIN,
  // and must be called with the same line again. May throw std::bad_alloc.
  [[nodiscard]] sys::IoResult write(const spdlog::details::log_msg& message);

 private:
  bool try_open();
  [[nodiscard]] const char* consequence_of_no_open() const noexcept;
  void complain_once(const char* consequence);
  void report_end_of_failure();

  std::shared_ptr<spdlog::sinks::sink> complaints_;
  LineFormatter formatter_{LineForm::dated};
  std::string path_;
  sys::AppendFile file_;
  int error_ = 0;  // errno of what failed last; 0 after a successful open.
  sys::TimePoint next_try_;
  bool is_failing_ = false;  // And reported.
  sys::TimePoint next_complaint_;
};

}  // namespace echod
