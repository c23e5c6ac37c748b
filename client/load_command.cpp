#include "load_command.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <optional>

#include "environment.hpp"
#include "io_result.hpp"
#include "json_report.hpp"
#include "late_stops.hpp"
#include "load_run.hpp"
#include "output.hpp"
#include "percentile_table.hpp"
#include "server_address.hpp"
#include "summary.hpp"
#include "unique_fd.hpp"
#include "usage.hpp"
#include "verdict.hpp"

namespace echod::client {

namespace {

std::optional<Output> output_to(const std::optional<std::string>& name) {
  return name ? std::optional<Output>(std::in_place, *name) : std::nullopt;
}

// One line that is written over again and again, if there is a terminal to see it. What a terminal
// that nobody reads does not take is dropped: the run must not wait for it. So the terminal is
// opened anew, because O_NONBLOCK on stderr itself would also hold for the shell.
class ProgressLine {
 public:
  ProgressLine()
      : terminal_(sys::UniqueFd::adopt(
            isatty(STDERR_FILENO) == 1 ? open("/proc/self/fd/2", kNeverWaits) : -1)) {}

  [[nodiscard]] bool is_wanted() const { return terminal_.is_open(); }

  // Cut to the width of the terminal: a line that wraps could not be taken back.
  void show(const std::string& line) const {
    winsize size{};
    const bool has_size = ioctl(terminal_.get(), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t most = has_size ? size.ws_col - 1U : line.size();
    const std::string shown = "\r\033[K" + line.substr(0, most);
    // What was not taken is lost.
    (void)sys::IoResult::of(write(terminal_.get(), shown.data(), shown.size()));
  }
  void clear() const { show(""); }

 private:
  static constexpr int kNeverWaits = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

  sys::UniqueFd terminal_;
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

  const ProgressLine line;
  std::function<void(const LoadProgress&)> on_progress;
  if (line.is_wanted()) {
    on_progress = [&](const LoadProgress& progress) {
      line.show(progress_line(options, progress));
    };
  }
  LoadRun run(options.plan, on_progress);
  const LoadResult result = run.run();
  if (on_progress) {
    line.clear();
  }
  let_late_stops_end_output(run.stops());
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
  if (!verdict.has_passed()) {
    return ExitCode::failed;
  }
  return result.is_interrupted ? ExitCode::interrupted : ExitCode::success;
}

}  // namespace echod::client
