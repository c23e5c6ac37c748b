// Writes one line of JSON per interval to a file (--interval-json), so that other programs can
// follow the run. An existing file is truncated.
//
// Owns the file. Thread-safety: none. Only the constructor and finish() may block. Lines that
// cannot be written at once are kept and written later, because the run must not wait for a reader.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "sys/shared_stream.hpp"
#include "sys/unique_fd.hpp"

namespace echod::client {

class IntervalLines {
 public:
  // "-" is standard output. Blocks until a FIFO has a reader. Throws FatalError.
  explicit IntervalLines(const std::string& name);

  // Never blocks. finish() reports errors.
  void add(const Interval& interval);
  // Writes the remaining lines; blocks until all are written. Throws FatalError if a line could not
  // be written.
  void finish();

 private:
  std::string name_;
  bool is_standard_output_;
  sys::UniqueFd fd_;
  sys::SharedStream stream_;
  std::string waiting_;
  int error_ = 0;
};

}  // namespace echod::client
