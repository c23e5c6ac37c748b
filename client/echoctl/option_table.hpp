// The tables of echoctl's commands and options. Parsing, error messages and --help use them.
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "client/echoctl/command_line.hpp"

namespace echod::ctl {

struct CommandRow {
  Command command;
  const char* name;
  const char* arguments;  // In --help: "ID".
  const char* help;       // One or more lines.
};

// In the order of Command.
[[nodiscard]] std::span<const CommandRow> all_commands() noexcept;
[[nodiscard]] const char* name_of(Command command) noexcept;

// A set of commands.
class CommandSet {
 public:
  constexpr CommandSet(std::initializer_list<Command> commands) noexcept {
    for (const Command command : commands) {
      bits_ |= bit(command);
    }
  }
  [[nodiscard]] constexpr bool has(Command command) const noexcept {
    return (bits_ & bit(command)) != 0;
  }

 private:
  [[nodiscard]] static constexpr unsigned bit(Command command) noexcept {
    return 1U << static_cast<unsigned>(command);
  }

  unsigned bits_ = 0;
};

struct Option {
  const char* name = nullptr;     // Without the two dashes.
  const char* value = nullptr;    // The value's name in --help. Null if the option takes no value.
  CommandSet commands = {};       // The commands that have the option.
  const char* expects = nullptr;  // Which values are allowed, for the error message.
  // Returns false if the value is not allowed.
  bool (*set)(Options& options, std::string_view value) = nullptr;
  const char* help = nullptr;  // One or more lines.
};

[[nodiscard]] std::span<const Option> all_options() noexcept;

// Whether a log level has this name, and which names there are.
[[nodiscard]] bool is_log_level(std::string_view name) noexcept;
inline constexpr const char* kLogLevels = "trace, debug, info, warning, error, critical or off";

// What --help prints.
[[nodiscard]] std::string help();

}  // namespace echod::ctl
