// Shows the progress of a run on standard error: on a terminal, one line that is overwritten, and
// on request a line for each interval. Thread-safety: none. Never blocks: output that cannot be
// written at once is dropped.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "sys/shared_stream.hpp"

namespace echod::client {

class LiveFigures {
 public:
  // `options` must outlive this object.
  explicit LiveFigures(const Options& options);

  [[nodiscard]] bool is_terminal() const noexcept { return is_terminal_; }
  // Overwrites the progress line. Must be called only if is_terminal().
  void show(const LoadProgress& progress) const;
  // Adds a line for the interval.
  void show(const Interval& interval) const;
  // Erases the progress line. No-op if not on a terminal.
  void clear() const;

 private:
  [[nodiscard]] std::string cut(const std::string& line) const;

  const Options& options_;
  sys::SharedStream stream_;
  bool is_terminal_;
};

}  // namespace echod::client
