#include "client/echoctl/command_line.hpp"

#include <getopt.h>
#include <sysexits.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "client/echoctl/option_table.hpp"
#include "client/text/figures.hpp"
#include "client/text/option_words.hpp"

namespace echod::ctl {

namespace {

using client::in_quotes;

ParsedCommandLine final_text(std::string text, int exit_code = 0) {
  ParsedCommandLine parsed;
  parsed.is_final = true;
  parsed.exit_code = exit_code;
  parsed.text = std::move(text);
  return parsed;
}

ParsedCommandLine usage_error(const std::string& what) {
  return final_text("echoctl: " + client::one_line(what) + "; see echoctl --help\n", EX_USAGE);
}

// The table for getopt_long(3).
std::vector<option> getopt_table() {
  std::vector<option> table;
  for (std::size_t i = 0; i < all_options().size(); ++i) {
    table.push_back(
        client::option_entry(all_options()[i].name, all_options()[i].value != nullptr, i));
  }
  client::add_last_entries(table);
  return table;
}

// The arguments while they are parsed.
struct Words {
  Options options;
  std::vector<const Option*> given;
};

// Handles the value `found` that getopt_long(3) returned for the argument `given`. Returns a final
// result, or nothing if parsing should continue.
std::optional<ParsedCommandLine> handle_option(Words& words, int found, const char* given) {
  if (found == 'h' || found == client::kHelpOption) {
    return final_text(help());
  }
  if (found == client::kVersionOption) {
    return final_text("echoctl " ECHOD_VERSION "\n");
  }
  if (found == '?' || found == ':') {
    return usage_error(client::wrong_option(found, given));
  }
  const Option& option = all_options()[static_cast<std::size_t>(found - client::kFirstOption)];
  const std::string value = optarg != nullptr ? optarg : "";
  if (!option.set(words.options, value)) {
    return usage_error(std::string("--") + option.name + ": " + in_quotes(value) + " given; use " +
                       option.expects);
  }
  words.given.push_back(&option);
  return std::nullopt;
}

std::string command_list() {
  std::string list;
  for (const CommandRow& row : all_commands()) {
    list += row.command == Command::status                 ? ""
            : row.command == all_commands().back().command ? " or "
                                                           : ", ";
    list += row.name;
  }
  return list;
}

// The functions below return an error message, if any.

std::optional<std::string> set_command(Options& options, std::span<char* const> arguments) {
  if (arguments.empty()) {
    return "no command given: " + command_list();
  }
  const std::string_view word = arguments.front();
  const auto row = std::ranges::find(all_commands(), word, &CommandRow::name);
  if (row == all_commands().end()) {
    return in_quotes(word) + " is not a command: " + command_list();
  }
  options.command = row->command;
  return std::nullopt;
}

// Sets the argument after the command.
std::optional<std::string> set_argument(Options& options, std::span<char* const> arguments) {
  const bool takes_argument =
      options.command == Command::close || options.command == Command::log_level;
  if (const std::size_t most = takes_argument ? 1 : 0; arguments.size() > most) {
    return "unexpected argument " + in_quotes(arguments[most]);
  }
  if (arguments.empty()) {
    return std::nullopt;
  }
  const std::string_view word = arguments.front();
  if (options.command == Command::close) {
    options.connection_id = word;
    return word.empty() ? std::optional("\"\" is not the ID of a connection") : std::nullopt;
  }
  options.level = word;
  return is_log_level(word) ? std::nullopt
                            : std::optional(in_quotes(word) + " is not a level: " + kLogLevels);
}

std::optional<std::string> contradiction(const Words& words) {
  const Options& options = words.options;
  for (const Option* const option : words.given) {
    if (!option->commands.has(options.command)) {
      return std::string("--") + option->name + " is no option of " + name_of(options.command);
    }
  }
  constexpr std::uint64_t kLast = 10000;
  constexpr std::uint64_t kDefaultLimit = 100;
  if (options.offset.value_or(0) + options.limit.value_or(kDefaultLimit) > kLast) {
    return "--offset and --limit together are over 10000: use --network, --state or --worker";
  }
  const bool has_id = !options.connection_id.empty();
  if (options.command == Command::close && has_id == options.network.has_value()) {
    return has_id ? "close takes an ID or --network, not both"
                  : "nothing to close: give an ID (see echoctl connections) or --network";
  }
  if (options.level.empty() && (options.is_for_file || options.is_for_stderr)) {
    return std::string("no level given: ") + kLogLevels;
  }
  return std::nullopt;
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  Words words;
  std::vector<char*> arguments = client::copied_arguments(argc, argv);
  std::optional<ParsedCommandLine> end;
  const auto rest =
      client::handle_options(arguments, getopt_table(), [&](int found, const char* given) {
        end = handle_option(words, found, given);
        return !end;
      });
  if (end) {
    return *end;
  }
  auto fault = set_command(words.options, rest);
  fault = fault ? fault : set_argument(words.options, rest.subspan(1));
  fault = fault ? fault : contradiction(words);
  if (fault) {
    return usage_error(*fault);
  }
  ParsedCommandLine parsed;
  parsed.options = std::move(words.options);
  return parsed;
}

}  // namespace echod::ctl
