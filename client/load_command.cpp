#include "client/load_command.hpp"

#include <functional>
#include <string>

#include "client/late_stops.hpp"
#include "client/live_figures.hpp"
#include "client/load/load_run.hpp"
#include "client/report/verdict.hpp"
#include "client/results.hpp"
#include "client/server_address.hpp"
#include "client/sys/usage.hpp"

namespace echod::client {

namespace {

// Raises limits, finds the server, and checks what would make the run fail. Throws FatalError.
void prepare(Options& options) {
  require_resources_for_connections(options);
  if (options.plan.server_pid && !sys::process_usage(*options.plan.server_pid)) {
    throw FatalError(ExitCode::usage, "--server-pid: there is no process " +
                                          std::to_string(*options.plan.server_pid));
  }
  options.plan.server = reachable_endpoint(options);
  require_sources(options);
}

// Throws FatalError, std::system_error.
LoadResult run_to_its_end(Options& options, Results& results) {
  prepare(options);
  const LiveFigures figures(options);
  std::function<void(const LoadProgress&)> on_progress;
  std::function<void(const Interval&)> on_interval;
  if (figures.is_terminal()) {
    on_progress = [&figures](const LoadProgress& progress) { figures.show(progress); };
  }
  if (options.given.interval || results.wants_intervals()) {
    on_interval = [&](const Interval& interval) {
      if (options.given.interval) {
        figures.show(interval);
      }
      if (results.wants_intervals()) {
        results.add(interval);
      }
    };
  }
  LoadRun run(options.plan, on_progress, on_interval);
  LoadResult result = run.run();
  figures.clear();
  end_process_on_repeated_stop(run.stops());
  return result;
}

// Reports a run that could not begin. If that fails too, throws a FatalError with both reasons.
void write_no_result(Results& results, const Options& options, const std::string& reason) {
  try {
    results.write(options, {}, could_not_begin(reason));
  } catch (const FatalError& error) {
    throw FatalError(ExitCode::system, reason + "; " + error.what());
  }
}

}  // namespace

ExitCode run_load(Options options) {
  Results results(options);
  LoadResult result;
  try {
    result = run_to_its_end(options, results);
  } catch (const FatalError& error) {
    if (error.code() != ExitCode::usage) {
      write_no_result(results, options, error.what());
    }
    throw;
  } catch (const std::exception& error) {
    end_process_on_repeated_stop({});  // LoadRun may have blocked the signals.
    write_no_result(results, options, error.what());
    throw;
  }
  const Verdict verdict = verdict_on(options, result);
  results.write(options, result, verdict);
  return exit_code(result, verdict);
}

}  // namespace echod::client
