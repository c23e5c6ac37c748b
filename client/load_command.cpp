#include "load_command.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "environment.hpp"
#include "json_report.hpp"
#include "load_run.hpp"
#include "output.hpp"
#include "percentile_table.hpp"
#include "server_address.hpp"
#include "summary.hpp"
#include "usage.hpp"
#include "verdict.hpp"

namespace echod::client {

namespace {

std::optional<Output> output_to(const std::optional<std::string>& name) {
  return name ? std::optional<Output>(std::in_place, *name) : std::nullopt;
}

// One line that is written over again and again, if there is a terminal to see it.
class ProgressLine {
 public:
  [[nodiscard]] static bool is_wanted() { return isatty(STDERR_FILENO) == 1; }

  // Cut to the width of the terminal: a line that wraps could not be taken back.
  static void show(const std::string& line) {
    winsize size{};
    const bool has_size = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t most = has_size ? size.ws_col - 1U : line.size();
    (void)std::fprintf(stderr, "\r\033[K%s", line.substr(0, most).c_str());
  }
  static void clear() { show(""); }
};

}  // namespace

ExitCode run_load(Options options) {
  require_room_for_connections(options);
  if (options.plan.server_pid && !sys::process_usage(*options.plan.server_pid)) {
    throw Stop(ExitCode::usage,
               "--server-pid: there is no process " + std::to_string(*options.plan.server_pid));
  }
  std::optional<Output> json = output_to(options.json_file);
  std::optional<Output> histogram = output_to(options.histogram_file);
  options.plan.server = reachable_address(options);
  require_sources(options);

  std::function<void(const LoadProgress&)> on_progress;
  if (ProgressLine::is_wanted()) {
    on_progress = [&options](const LoadProgress& progress) {
      ProgressLine::show(progress_line(options, progress));
    };
  }
  const LoadResult result = LoadRun(options.plan, on_progress).run();
  if (on_progress) {
    ProgressLine::clear();
  }
  const Environment where = environment();
  const Verdict verdict = verdict_on(options, result);
  const bool is_stdout_free =
      !(json && json->is_standard_output()) && !(histogram && histogram->is_standard_output());
  if (is_stdout_free) {  // First: a file that cannot be written must not cost it.
    write_to_stdout(summary(options, result, where, verdict));
  }
  if (histogram) {
    histogram->write(percentile_table(result.tally.latency));
  }
  if (json) {
    json->write(run_json(options, result, where, verdict));
  }
  return verdict.has_passed() ? ExitCode::success : ExitCode::failed;
}

}  // namespace echod::client
