// The command line of echod (echod(8)).
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
  std::optional<pid_t> reload;  // Have this process reload, and nothing else.
  bool quit_on_stdin = false;
  // Overrides; they also hold when the configuration is read again.
  std::optional<std::string> address;
  std::optional<std::uint16_t> port;
  std::optional<std::string> log_file;
  std::optional<LogLevel> file_level;
  std::optional<LogLevel> stderr_level;
};

// What to do with the command line: run with `options`, or print `text`, which ends its last line,
// and exit with `exit_code` (--help, --version: to stdout, 0; a usage error: one line to stderr,
// 64).
struct ParsedCommandLine {
  CommandLine options;
  bool is_final = false;
  int exit_code = 0;
  std::string text;
};

[[nodiscard]] ParsedCommandLine parse_command_line(int argc, const char* const* argv);

// The file named, else /etc/echod.toml if there is one of this name, readable or not, else none.
[[nodiscard]] std::optional<std::string> config_file_in_use(const CommandLine& options);

// The configuration that `options` ask for: that file's, or the defaults; then the overrides.
// `--address` or `--port` means one listener, there, instead of those configured; what is not given
// comes from the first of them. Throws ConfigErrors.
[[nodiscard]] Config effective_config(const CommandLine& options);

}  // namespace echod
