// The table of echoload's options. Parsing, error messages and --help use it.
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "client/options/command_line.hpp"

namespace echod::client {

// The commands that have an option.
enum class OptionScope : std::uint8_t { run_and_check, run, run_and_merge, check };

struct Option {
  const char* name;   // Without the two dashes.
  const char* value;  // The value's name in --help. Null if the option takes no value.
  OptionScope scope;
  const char* expects;  // Which values are allowed, for the error message.
  bool (*set)(Options& options, std::string_view value);  // Returns false if not allowed.
  const char* help;                                       // One or more lines.
};

[[nodiscard]] std::span<const Option> all_options() noexcept;

// What --help prints.
[[nodiscard]] std::string help();

}  // namespace echod::client
