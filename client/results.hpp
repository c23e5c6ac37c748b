// Writes the results of `echoload run` and `echoload merge`. The summary goes to standard output,
// unless another result goes there.
// Thread-safety: none.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/exit_codes.hpp"
#include "client/interval_lines.hpp"
#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/output.hpp"
#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// The exit code of a run or merge.
[[nodiscard]] ExitCode exit_code(const LoadResult& result, const Verdict& verdict) noexcept;

class Results {
 public:
  // Throws FatalError if a file cannot be written, or if two results go to the same file or
  // to standard output.
  explicit Results(const Options& command_line);

  // Whether add() must be called for each interval.
  [[nodiscard]] bool wants_intervals() const noexcept { return interval_lines_.has_value(); }
  // Only if wants_intervals().
  void add(const Interval& interval) { interval_lines_->add(interval); }
  // Writes all results. If some cannot be written, writes the others and throws FatalError. A run
  // that did not begin has no summary. `run_options` are the options of the run that is reported;
  // of a merged result, the sum of its parts. `parts` are the runs of a merged result.
  void write(const Options& run_options, const LoadResult& result, const Verdict& verdict,
             const std::vector<RunPart>& parts = {});

 private:
  template <typename File>
  void open(std::optional<File>& file, const std::optional<std::string>& name);

  std::optional<IntervalLines> interval_lines_;
  std::optional<Output> json_;
  std::optional<Output> histogram_;
  std::optional<Output> html_;
  bool is_standard_output_taken_ = false;
  std::set<std::string> files_;  // The regular files that results go to.
};

}  // namespace echod::client
