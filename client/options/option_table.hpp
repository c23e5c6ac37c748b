// The options of echoload: one table drives parsing, the messages about values, and --help.
// Thread-safety: functions without state.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "command_line.hpp"

namespace echod::client {

enum class OptionScope : std::uint8_t { run_and_check, run, run_and_merge, check };

struct Option {
  const char* name;   // Without the two dashes.
  const char* value;  // What the help calls it; nullptr: it takes none.
  OptionScope scope;
  const char* expects;  // What a value looks like, for the message about one that does not.
  bool (*set)(Options& options, std::string_view value);  // False: no such value.
  const char* help;                                       // Lines.
};

[[nodiscard]] std::span<const Option> all_options() noexcept;

// What --help prints.
[[nodiscard]] std::string help();

}  // namespace echod::client
