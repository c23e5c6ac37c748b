#include "client/merge_command.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/report/run_merge.hpp"
#include "client/results.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

std::string text_of_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  (void)file.peek();  // A directory can be opened, but not read.
  if (!file.is_open() || file.bad()) {
    throw std::runtime_error("cannot read " + name + ": " + errno_text(errno));
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

RunRecord merged(const std::vector<std::string>& files) {
  try {
    std::vector<RunRecord> records;
    records.reserve(files.size());
    for (const std::string& name : files) {
      records.push_back(read_run(name, text_of_file(name)));
    }
    return merge(records);
  } catch (const std::runtime_error& error) {
    throw FatalError(ExitCode::usage, error.what());
  }
}

}  // namespace

ExitCode run_merge(const Options& options) {
  RunRecord record = merged(options.files);
  record.options.limits = options.limits;
  const Endpoint& server = record.options.plan.server;
  if (server.is_known() && !server.is_udp() &&
      std::ranges::any_of(options.limits,
                          [](const Limit& limit) { return limit.kind == Limit::Kind::loss; })) {
    throw FatalError(ExitCode::usage, "--slo loss is about datagrams, and " +
                                          options.files.front() + " is not a result of UDP");
  }
  const Verdict verdict = verdict_on_merged(record);
  Results(options).write(record.options, record.result, verdict, record.parts);
  return exit_code(record.result, verdict);
}

}  // namespace echod::client
