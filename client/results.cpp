#include "client/results.hpp"

#include <utility>

#include "client/measure/percentile_table.hpp"
#include "client/report/environment.hpp"
#include "client/report/html_report.hpp"
#include "client/report/json_report.hpp"
#include "client/report/summary.hpp"

namespace echod::client {

ExitCode exit_code(const LoadResult& result, const Verdict& verdict) noexcept {
  if (!verdict.has_passed()) {
    return ExitCode::failed;
  }
  return result.is_interrupted ? ExitCode::interrupted : ExitCode::success;
}

Results::Results(const Options& command_line) {
  open(json_, command_line.json_file);
  open(histogram_, command_line.histogram_file);
  open(html_, command_line.html_file);
  open(interval_lines_, command_line.interval_file);
}

void Results::write(const Options& run_options, const LoadResult& result, const Verdict& verdict,
                    const std::vector<RunPart>& parts) {
  const Environment where = environment();
  const Output standard("-");
  std::vector<PendingWrite> writes;
  const auto add = [&writes](const Output& output, std::string text) {
    writes.push_back({.may_wait = output.may_wait(),
                      .write = [&output, text = std::move(text)] { output.write(text); }});
  };
  const bool has_summary = result.has_begun || !parts.empty();
  if (has_summary && !is_standard_output_taken_) {
    add(standard, summary(run_options, result, where, verdict, parts));
  }
  if (json_) {
    add(*json_, run_json(run_options, result, where, verdict, parts));
  }
  if (histogram_) {
    add(*histogram_, percentile_table(result.tally.latency));
  }
  if (html_) {
    add(*html_, html_report(run_options, result, where, verdict));
  }
  if (interval_lines_) {
    writes.push_back({.may_wait = true, .write = [this] { interval_lines_->finish(); }});
  }
  write_all(std::move(writes));
}

template <typename File>
void Results::open(std::optional<File>& file, const std::optional<std::string>& name) {
  if (!name) {
    return;
  }
  if (is_name_of_standard_output(*name)) {
    if (std::exchange(is_standard_output_taken_, true)) {
      throw FatalError(ExitCode::usage, "only one result can go to standard output");
    }
  } else if (const auto path = regular_file(*name); path && !files_.insert(*path).second) {
    throw FatalError(ExitCode::usage, "only one result can go to " + *path);
  }
  file.emplace(*name);
}

}  // namespace echod::client
