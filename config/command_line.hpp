// Parses the command line of echod (echod(8)).
//
// Thread-safety: functions without shared state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"

namespace echod {

struct CommandLine {
  std::optional<std::string> config_file;
  bool check_config = false;
  bool dump_config = false;
  bool check_upgrade = false;   // Used by echod itself (docs/upgrade.md).
  std::optional<pid_t> reload;  // The process to reload; no other option is allowed with it.
  bool quit_on_stdin = false;
  // Override the configuration, also after a reload.
  std::optional<std::string> address;
  std::optional<std::uint16_t> port;
  std::optional<std::string> log_file;
  std::optional<LogLevel> file_level;
  std::optional<LogLevel> stderr_level;
};

// If `is_final`: print `text`, which ends with a newline, and exit with `exit_code`. Else: run with
// `options`. The text of --help and --version goes to stdout, with exit code 0. A usage error is
// one line for stderr, with exit code 64.
struct ParsedCommandLine {
  CommandLine options;
  bool is_final = false;
  int exit_code = 0;
  std::string text;
};

[[nodiscard]] ParsedCommandLine parse_command_line(int argc, const char* const* argv);

// Sets what the options override. `--address` or `--port` replaces all listeners by one, which has
// the remaining settings of the first configured listener. Throws ConfigErrors if the interface
// that the address names no longer exists.
void override_config(Config& config, const CommandLine& options);

}  // namespace echod
