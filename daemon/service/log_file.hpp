// Log lines to a file that can be reopened while it is written to, which is what rotation needs.
// One write(2) a line, nothing kept back: a crash loses nothing that was logged.
//
// A file that cannot be opened or written is reported once, through `complaints`, until it can be
// written again; lines are lost meanwhile.
//
// Blocks as long as the disk does: for a thread of its own (log_thread.hpp). Thread-safety: one
// thread at a time.
#pragma once

#include <spdlog/sinks/sink.h>

#include <memory>
#include <string>

#include "append_file.hpp"
#include "line_format.hpp"

namespace echod {

class LogFile {
 public:
  // `complaints` is a sink that does not depend on this file.
  explicit LogFile(std::shared_ptr<spdlog::sinks::sink> complaints);

  // Opens `path`, or the same path anew; an empty one closes the file for good. Returns whether a
  // file is open now. May throw std::bad_alloc.
  bool open(std::string path);
  // Whether the line was written, or there is no file to write to. May throw std::bad_alloc.
  [[nodiscard]] bool write(const spdlog::details::log_msg& message);

 private:
  void complain_once(int error);

  std::shared_ptr<spdlog::sinks::sink> complaints_;
  LineFormatter formatter_{false};
  std::string path_;
  sys::AppendFile file_;
  int open_error_ = 0;  // errno of the last open.
  bool is_failing_ = false;
};

}  // namespace echod
