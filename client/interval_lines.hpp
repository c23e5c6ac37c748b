// A file that gets a line of JSON for each interval as it ends, so that others can follow the run.
// What the file does not take at once is kept and written later, because the run must not wait for
// a reader. A file that exists is written over.
//
// Thread-safety: none.
#pragma once

#include <string>

#include "load_run.hpp"
#include "shared_stream.hpp"
#include "unique_fd.hpp"

namespace echod::client {

class IntervalLines {
 public:
  // "-" is standard output. Opening a FIFO waits for its reader. Throws FatalError.
  explicit IntervalLines(const std::string& name);

  [[nodiscard]] bool is_standard_output() const noexcept { return is_standard_output_; }
  // Never waits. An error is kept for finish().
  void add(const Interval& interval);
  // Writes what is left, and waits until it is taken. Throws FatalError if a line could not be
  // written.
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
