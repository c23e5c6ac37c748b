// The command line of echoload (echoload(1)).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/load/load_plan.hpp"

namespace echod::client {

enum class Command : std::uint8_t { run, check, merge };

// A limit that a run must meet: "p99=2ms", "max=10ms" (percent 100), "rate>=990", "errors<=5",
// "loss=0.1%".
struct Limit {
  enum class Kind : std::uint8_t { latency, rate, errors, loss };

  std::string text;  // As given on the command line.
  Kind kind = Kind::latency;
  double percent = 0;                // latency: which percentile
  std::chrono::nanoseconds most{0};  // latency: the highest value allowed
  // rate: fewest echoes per second; errors: most errors; loss: most lost datagrams in percent
  double number = 0;
};

// Options that are needed as given after parsing: their defaults depend on other options or on
// chance, or they contradict others. Empty if the option was not given.
struct GivenOptions {
  std::optional<std::uint32_t> connections;
  std::optional<std::uint32_t> active;
  std::optional<std::uint32_t> depth;
  std::optional<std::uint32_t> burst;
  std::optional<std::uint32_t> seed;
  std::optional<MessageSizes> sizes;
  std::optional<Arrivals> arrivals;
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::chrono::nanoseconds> warmup;
  std::optional<std::chrono::nanoseconds> interval;  // If given, stderr shows each interval.
};

struct Options {
  Command command = Command::run;
  std::string target;  // As given on the command line.
  Transport transport = Transport::tcp;
  std::string host;  // A name or an address. Empty for a UNIX socket.
  std::uint16_t port = 0;
  std::string path;         // The path of a UNIX socket. Empty for TCP and UDP.
  bool is_verbose = false;  // check
  bool wants_json = false;  // check: on standard output, instead of the table
  // Without the server. `check` uses only connections, timeout and seed.
  LoadPlan plan;
  GivenOptions given;
  std::vector<std::string> files;  // merge: results of runs
  // Files for results. "-" is standard output.
  std::optional<std::string> json_file;       // run, merge
  std::optional<std::string> histogram_file;  // run, merge
  std::optional<std::string> html_file;       // run
  std::optional<std::string> interval_file;   // run
  std::uint64_t max_errors = 0;
  std::vector<Limit> limits;
  std::chrono::nanoseconds ramp{0};
};

// The result of parsing. If `is_final`, print `text` and exit with `exit_code`: for --help and
// --version to stdout with 0, for a usage error to stderr with 64. Otherwise run with `options`.
struct ParsedCommandLine {
  Options options;
  bool is_final = false;
  int exit_code = 0;
  std::string text;
};

[[nodiscard]] ParsedCommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace echod::client
