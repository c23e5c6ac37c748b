#include "client/check_command.hpp"

#include <algorithm>
#include <cstdio>

#include "client/check/run_checks.hpp"
#include "client/output.hpp"
#include "client/report/environment.hpp"
#include "client/report/json_report.hpp"
#include "client/server_address.hpp"

namespace echod::client {

namespace {

// A row of the table.
std::string row(const CheckResult& result) {
  constexpr std::size_t kVerdictColumn = 6;
  constexpr std::size_t kNameColumn = 34;
  constexpr std::size_t kFigureColumn = 62;
  std::string line(name_of(result.verdict));
  line.resize(kVerdictColumn, ' ');
  line += result.name;
  line.resize(std::max(line.size() + 1, kNameColumn), ' ');
  line += result.figure;
  if (!result.reason.empty()) {
    line.resize(std::max(line.size() + 1, kFigureColumn), ' ');
    line += result.reason;
  }
  return line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
}

// The server as given, and its address if that is something else.
std::string target_text(const Options& options) {
  std::string address = options.plan.server.text();
  if (address == options.target) {
    return address;
  }
  return options.target + " at " + address;
}

std::string tally_line(const std::vector<CheckResult>& results) {
  const auto count = [&results](CheckVerdict verdict) {
    return std::count_if(results.begin(), results.end(), [verdict](const CheckResult& result) {
      return result.verdict == verdict;
    });
  };
  return std::to_string(count(CheckVerdict::pass)) + " passed, " +
         std::to_string(count(CheckVerdict::fail)) + " failed, " +
         std::to_string(count(CheckVerdict::skip)) + " skipped" +
         (count(CheckVerdict::note) > 0
              ? ", " + std::to_string(count(CheckVerdict::note)) + " not judged\n"
              : "\n");
}

}  // namespace

ExitCode run_check(Options options) {
  (void)raise_open_files(options);  // If too low, "in parallel" is skipped.
  options.plan.server = reachable_endpoint(options);
  CheckPlan plan{.server = options.plan.server,
                 .connections = options.plan.connections,
                 .timeout = options.plan.timeout,
                 .seed = options.plan.seed,
                 .trace = {}};
  if (options.is_verbose) {
    plan.trace = [](const std::string& line) { (void)std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  if (!options.wants_json) {
    write_to_stdout("echoload " + environment().version + ": check of " + target_text(options) +
                    ", seed " + std::to_string(plan.seed) + "\n\n");
  }
  const std::vector<CheckResult> results = run_checks(plan, [&options](const CheckResult& result) {
    if (!options.wants_json) {
      write_to_stdout(row(result));
    }
  });
  write_to_stdout(options.wants_json ? check_json(options, results, environment())
                                     : '\n' + tally_line(results));
  return have_passed(results) ? ExitCode::success : ExitCode::failed;
}

}  // namespace echod::client
