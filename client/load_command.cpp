#include "load_command.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>
#include <system_error>

#include "environment.hpp"
#include "json_report.hpp"
#include "load_run.hpp"
#include "percentile_table.hpp"
#include "server_address.hpp"
#include "summary.hpp"
#include "usage.hpp"
#include "verdict.hpp"

namespace echod::client {

namespace {

// A file that a result goes to. Opened before the run, so that a bad name costs no run.
class Output {
 public:
  // "-" is standard output.
  explicit Output(const std::string& name) : name_(name) {
    if (!is_standard_output()) {
      file_.open(name, std::ios::trunc);
      require();
    }
  }

  [[nodiscard]] bool is_standard_output() const { return name_ == "-"; }

  void write(const std::string& text) {
    if (is_standard_output()) {
      write_to_stdout(text);
    } else {
      file_ << text << std::flush;
      require();
    }
  }

  static void write_to_stdout(const std::string& text) {
    if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
      throw Stop(ExitCode::system,
                 "cannot write to standard output: " + std::system_category().message(errno));
    }
  }

 private:
  void require() const {
    if (!file_) {
      throw Stop(ExitCode::system,
                 "cannot write " + name_ + ": " + std::system_category().message(errno));
    }
  }

  std::string name_;
  std::ofstream file_;
};

std::optional<Output> output_to(const std::optional<std::string>& name) {
  return name ? std::optional<Output>(std::in_place, *name) : std::nullopt;
}

// One line that is written over again and again, if there is a terminal to see it.
class ProgressLine {
 public:
  [[nodiscard]] static bool is_wanted() { return isatty(STDERR_FILENO) == 1; }

  static void show(const std::string& line) {
    (void)std::fprintf(stderr, "\r\033[K%s", line.c_str());
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

  std::function<void(const LoadProgress&)> on_progress;
  if (ProgressLine::is_wanted()) {
    on_progress = [&options](const LoadProgress& progress) {
      ProgressLine::show(progress_line(options, progress));
    };
  }
  LoadRun run(options.plan, on_progress);
  const LoadResult result = run.run();
  if (on_progress) {
    ProgressLine::clear();
  }

  const Environment where = environment();
  const Verdict verdict = verdict_on(options, result);
  if (json) {
    json->write(run_json(options, result, where, verdict));
  }
  if (histogram) {
    histogram->write(percentile_table(result.tally.latency));
  }
  const bool is_stdout_free =
      !(json && json->is_standard_output()) && !(histogram && histogram->is_standard_output());
  if (is_stdout_free) {
    Output::write_to_stdout(summary(options, result, where, verdict));
  }
  return verdict.has_passed() ? ExitCode::success : ExitCode::failed;
}

}  // namespace echod::client
