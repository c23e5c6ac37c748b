// What the command lines of echoload and echoctl have in common: the loop over getopt_long(3), and
// the words of its errors.
//
// Thread-safety: getopt_long(3) has global state, so one thread, before others start.
#pragma once

#include <getopt.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace echod::client {

// What getopt_long(3) returns for long options. Above 255, so different from every character.
inline constexpr int kVersionOption = 256;
inline constexpr int kHelpOption = 257;
inline constexpr int kFirstOption = 258;  // Plus the index of the option in the program's table.

// The entry of a program's own option in the table for getopt_long(3).
[[nodiscard]] option option_entry(const char* name, bool takes_value, std::size_t index);
// The last entries of such a table: --version, --help and the end.
void add_last_entries(std::vector<option>& table);

// Calls `handle` with each value that getopt_long(3) returns, and the argument that it stands for.
// Stops if `handle` returns false. Returns the arguments that are no options. Reorders `arguments`,
// which begin with the name of the program.
[[nodiscard]] std::span<char* const> handle_options(
    std::vector<char*>& arguments, const std::vector<option>& table,
    const std::function<bool(int found, const char* given)>& handle);

// Copies the arguments of main(), because getopt_long(3) reorders them.
[[nodiscard]] std::vector<char*> copied_arguments(int argc, const char* const* argv);

// The error message for `found`, which is ':' or '?' from getopt_long(3). `given` is the argument;
// for a short option, optopt has the character. `owner`, such as " of run", is appended to the
// message about an unknown option.
[[nodiscard]] std::string wrong_option(int found, const std::string& given,
                                       std::string_view owner = "");

[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace echod::client
