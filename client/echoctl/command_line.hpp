// The command line of echoctl (echoctl(1)).
// Thread-safety: one thread, because of getopt_long(3).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace echod::ctl {

enum class Command : std::uint8_t {
  status,
  top,
  connections,
  close,
  log_level,
  metrics,
  health,
  ready,
  drain,
  upgrade,
};

inline constexpr const char* kDefaultSocket = "/run/echod/admin.sock";

struct Options {
  Command command = Command::status;
  std::string socket = kDefaultSocket;
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  bool wants_json = false;
  bool wants_bytes = false;  // status, connections: exact sizes
  // connections; close uses only the network. What is not given is left to echod.
  std::optional<std::string> network = {};
  std::optional<std::string> state = {};
  std::optional<std::uint64_t> worker = {};
  std::optional<std::string> sort = {};
  std::optional<std::uint64_t> limit = {};
  std::optional<std::uint64_t> offset = {};
  std::string connection_id = {};  // close; empty if a network is given
  std::chrono::nanoseconds interval = std::chrono::seconds(2);  // top
  std::optional<std::uint64_t> count = {};                      // top: intervals
  std::string level = {};  // log-level; empty: print the levels
  bool is_for_file = false;
  bool is_for_stderr = false;
  bool is_forced = false;  // upgrade
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

}  // namespace echod::ctl
