#include "client/options/command_line.hpp"

#include <getopt.h>
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <random>
#include <span>
#include <utility>

#include "client/options/contradiction.hpp"
#include "client/options/option_table.hpp"
#include "client/sys/local_connection.hpp"
#include "client/text/figures.hpp"
#include "client/text/moments.hpp"
#include "client/text/option_words.hpp"

namespace echod::client {

namespace {

std::string_view name_of(Command command) {
  constexpr std::array<std::string_view, 3> kNames{"run", "check", "merge"};
  return kNames.at(static_cast<std::size_t>(command));
}

ParsedCommandLine final_text(std::string text, int exit_code = 0) {
  ParsedCommandLine parsed;
  parsed.is_final = true;
  parsed.exit_code = exit_code;
  parsed.text = std::move(text);
  return parsed;
}

ParsedCommandLine usage_error(const std::string& what) {
  return final_text("echoload: " + one_line(what) + "; see echoload --help\n", EX_USAGE);
}

// Returns an error message, if any, like the functions below.
std::optional<std::string> set_path(Options& options, std::string_view path) {
  if (path.empty()) {
    return "unix: has no path: give one, such as unix:/run/echod/echo.sock";
  }
  if (path.size() > sys::kLongestConnectPath) {
    return in_quotes(path) + " has " + std::to_string(path.size()) +
           " bytes; the path of a UNIX socket has at most " +
           std::to_string(sys::kLongestConnectPath);
  }
  options.transport = Transport::local;
  options.path = path;
  return std::nullopt;
}

// Parses "host:port" or "[v6]:port".
std::optional<std::string> set_address(Options& options, std::string_view target) {
  const std::size_t colon = target.rfind(':');
  if (colon == std::string_view::npos || target.ends_with(']')) {
    return in_quotes(target) + " has no port: give HOST:PORT, such as localhost:2003";
  }
  const std::string_view port = target.substr(colon + 1);
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc{} || stop != port.data() + port.size() || options.port == 0) {
    return in_quotes(port) + " is not a port: 1 to 65535";
  }
  std::string_view host = target.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || (!is_bracketed && host.find(':') != std::string_view::npos)) {
    return in_quotes(target) +
           " is not HOST:PORT; an IPv6 address needs brackets, such as [::1]:2003";
  }
  options.host = host;
  return std::nullopt;
}

// Removes the scheme of `transport` from the beginning of `target`. Returns false if it is not
// there.
bool remove_scheme(std::string_view& target, Transport transport) {
  const std::string_view scheme = scheme_of(transport);
  const bool has_scheme = target.starts_with(scheme);
  target.remove_prefix(has_scheme ? scheme.size() : 0);
  return has_scheme;
}

// Parses "host:port", "tcp://host:port", "udp://host:port" or "unix:path".
std::optional<std::string> set_target(Options& options, std::string_view target) {
  options.target = target;
  if (remove_scheme(target, Transport::local)) {
    return set_path(options, target);
  }
  if (remove_scheme(target, Transport::udp)) {
    options.transport = Transport::udp;
  } else {
    (void)remove_scheme(target, Transport::tcp);  // TCP is the default.
  }
  return set_address(options, target);
}

// One second, or longer if the run would have more than 3600 intervals.
std::chrono::seconds default_interval(std::chrono::nanoseconds duration) {
  constexpr int kMostIntervals = 3600;
  return std::max(std::chrono::seconds(1),
                  std::chrono::ceil<std::chrono::seconds>(duration / kMostIntervals));
}

// A start in the past is an error, because the run could not start together with others.
std::optional<std::string> start_in_the_past(const LoadPlan& plan) {
  const Moment now = std::chrono::system_clock::now();
  if (!plan.start_at || *plan.start_at >= now) {
    return std::nullopt;
  }
  return "--start-at " + moment_text(*plan.start_at) + " is past: it is " + moment_text(now);
}

// Sets the defaults that depend on other options, and checks the options together.
std::optional<std::string> complete_and_check(Options& options) {
  constexpr std::uint32_t kParallelChecks = 40;
  constexpr std::uint32_t kStreamBytes = 64 << 10;
  constexpr std::uint32_t kStreamDepth = 16;
  const GivenOptions& given = options.given;
  LoadPlan& plan = options.plan;
  const bool is_stream = plan.mode == LoadMode::stream;
  plan.connections = given.connections.value_or(
      options.command == Command::check ? kParallelChecks : plan.connections);
  plan.active = given.active.value_or(plan.connections);
  plan.sizes = given.sizes.value_or(
      is_stream ? MessageSizes{.smallest = kStreamBytes, .largest = kStreamBytes} : plan.sizes);
  plan.burst = given.burst.value_or(plan.burst);
  plan.depth = given.depth.value_or(is_stream ? kStreamDepth : plan.burst);
  plan.arrivals = given.arrivals.value_or(plan.arrivals);
  plan.warmup = given.warmup.value_or(plan.messages ? std::chrono::nanoseconds(0) : plan.warmup);
  plan.duration = given.duration.value_or(plan.duration);
  if (!plan.steps.rates_per_s.empty()) {
    plan.duration = plan.steps.time * static_cast<std::int64_t>(plan.steps.rates_per_s.size());
  }
  plan.interval = given.interval.value_or(default_interval(plan.duration));
  if (options.ramp.count() > 0 && plan.connect_rate_per_s) {
    return "--ramp and --connect-rate say the same: give one of them";
  }
  if (options.ramp.count() > 0) {
    plan.connect_rate_per_s =
        plan.connections / std::chrono::duration<double>(options.ramp).count();
  }
  plan.threads = std::min(plan.threads, plan.connections);
  plan.seed = given.seed ? *given.seed : std::random_device()();
  const auto wrong = contradiction(options);
  return wrong ? wrong : start_in_the_past(plan);
}

bool applies_to(const Option& option, Command command) {
  switch (command) {
    case Command::run:
      return option.scope != OptionScope::check;
    case Command::check:
      return option.scope == OptionScope::run_and_check || option.scope == OptionScope::check;
    case Command::merge:
      return option.scope == OptionScope::run_and_merge;
  }
  return false;
}

// The table for getopt_long(3): the options of the command, --version and --help.
std::vector<option> getopt_table(Command command) {
  std::vector<option> table;
  for (std::size_t i = 0; i < all_options().size(); ++i) {
    if (applies_to(all_options()[i], command)) {
      table.push_back(option_entry(all_options()[i].name, all_options()[i].value != nullptr, i));
    }
  }
  add_last_entries(table);
  return table;
}

std::optional<Command> command_named(std::string_view word) {
  for (const Command command : {Command::run, Command::check, Command::merge}) {
    if (word == name_of(command)) {
      return command;
    }
  }
  return std::nullopt;
}

// Removes the command from `arguments` if the first argument is one.
std::optional<std::string> parse_command(Options& options, std::vector<char*>& arguments) {
  if (arguments.size() < 2) {
    return std::nullopt;
  }
  const std::string_view first = arguments[1];
  if (const auto command = command_named(first)) {
    options.command = *command;
    arguments.erase(arguments.begin() + 1);
  } else if (!first.starts_with('-') && first.find(':') == std::string_view::npos) {
    return in_quotes(first) +
           " is neither a command (run, check or merge) nor HOST:PORT, such as localhost:2003";
  }
  return std::nullopt;
}

// Handles the value `found` that getopt_long(3) returned for the argument `given`. Returns a final
// result, or nothing if parsing should continue.
std::optional<ParsedCommandLine> handle_option(Options& options, int found, const char* given) {
  if (found == 'h' || found == kHelpOption) {
    return final_text(help());
  }
  if (found == kVersionOption) {
    return final_text("echoload " ECHOD_VERSION "\n");
  }
  if (found == '?' || found == ':') {
    return usage_error(wrong_option(found, given, " of " + std::string(name_of(options.command))));
  }
  const Option& option = all_options()[static_cast<std::size_t>(found - kFirstOption)];
  const std::string value = optarg != nullptr ? optarg : "";
  if (!option.set(options, value)) {
    return usage_error(std::string("--") + option.name + ": " + in_quotes(value) + " given; use " +
                       option.expects);
  }
  return std::nullopt;
}

// Parses the arguments after the options.
std::optional<std::string> parse_arguments(Options& options, std::span<char* const> words) {
  if (options.command == Command::merge) {
    options.files.assign(words.begin(), words.end());
    return words.empty() ? std::optional("no files given: results of echoload run --json")
                         : std::nullopt;
  }
  if (words.empty()) {
    return "no server given: HOST:PORT";
  }
  if (words.size() > 1 && command_named(words[0])) {
    return std::string(words[0]) + " must stand before the options";
  }
  if (words.size() > 1) {
    return "unexpected argument " + std::string(words[1]);
  }
  return set_target(options, words.front());
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  ParsedCommandLine parsed;
  Options& options = parsed.options;
  std::vector<char*> arguments = copied_arguments(argc, argv);
  if (const auto fault = parse_command(options, arguments)) {
    return usage_error(*fault);
  }
  std::optional<ParsedCommandLine> end;
  const auto words =
      handle_options(arguments, getopt_table(options.command), [&](int found, const char* given) {
        end = handle_option(options, found, given);
        return !end;
      });
  if (end) {
    return *end;
  }
  auto fault = parse_arguments(options, words);
  fault = fault ? fault : complete_and_check(options);
  if (fault) {
    return usage_error(*fault);
  }
  return parsed;
}

}  // namespace echod::client
