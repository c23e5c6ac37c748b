// What standard error shows while a run goes on: how it stands, on a line that is written over
// again and again, if that is a terminal; and, if asked for, a line for each interval. What
// standard error does not take at once is dropped, because the run must not wait for it.
// Thread-safety: none.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "sys/shared_stream.hpp"

namespace echod::client {

class LiveFigures {
 public:
  explicit LiveFigures(const Options& options);

  [[nodiscard]] bool is_terminal() const noexcept { return is_terminal_; }
  void show(const LoadProgress& progress) const;
  void show(const Interval& interval) const;
  // Takes the line back.
  void clear() const;

 private:
  [[nodiscard]] std::string cut(const std::string& line) const;

  const Options& options_;
  sys::SharedStream stream_;
  bool is_terminal_;
};

}  // namespace echod::client
