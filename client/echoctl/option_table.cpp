#include "client/echoctl/option_table.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "client/text/units.hpp"

namespace echod::ctl {

namespace {

constexpr CommandSet kEvery{
    Command::status,  Command::top,    Command::connections, Command::close, Command::log_level,
    Command::metrics, Command::health, Command::ready,       Command::drain, Command::upgrade};

constexpr std::array kCommands{
    CommandRow{Command::status, "status", "", "show the state, limits, listeners and workers"},
    CommandRow{Command::top, "top", "",
               "show rates and the busiest connections, and refresh them;\n"
               "q or Ctrl-C ends it"},
    CommandRow{Command::connections, "connections", "", "list connections"},
    CommandRow{Command::close, "close", "ID",
               "close a connection, or with --network NET all connections\n"
               "of a network"},
    CommandRow{Command::log_level, "log-level", "[LEVEL]",
               "change the lowest level of the log until the next reload;\n"
               "without LEVEL print the levels"},
    CommandRow{Command::metrics, "metrics", "", "print the metrics for Prometheus"},
    CommandRow{Command::health, "health", "", "succeed if every worker of echod answers"},
    CommandRow{Command::ready, "ready", "", "succeed if echod is ready for clients"},
    CommandRow{Command::drain, "drain", "",
               "stop echod as SIGTERM does: every client gets its bytes\n"
               "back first"},
    CommandRow{Command::upgrade, "upgrade", "",
               "reload as SIGHUP does, with an upgrade in place if the\n"
               "program or a key that needs one has changed;\n"
               "wait for the end"},
};

constexpr std::array<std::string_view, 7> kLevelNames{"trace", "debug",    "info", "warning",
                                                      "error", "critical", "off"};
constexpr std::array<std::string_view, 5> kOrders{"age", "idle", "bytes", "owed", "peer"};
constexpr std::array<std::string_view, 4> kStates{"echoing", "flushing", "delivering", "lingering"};

// The set_ functions parse `value`, store the result and return false if `value` is invalid. The
// options are not used after that.

bool set_duration(std::chrono::nanoseconds& into, std::string_view value,
                  std::chrono::nanoseconds least) {
  constexpr std::chrono::hours kLongest{24};
  const auto duration = client::parse_duration(value);
  into = duration.value_or(into);
  return duration && *duration >= least && *duration <= kLongest;
}

bool set_count(std::optional<std::uint64_t>& into, std::string_view value, std::uint64_t least,
               std::uint64_t most) {
  into = client::parse_count(value);
  return into && *into >= least && *into <= most;
}

bool set_name(std::optional<std::string>& into, std::string_view value,
              std::span<const std::string_view> names) {
  into = value;
  return std::ranges::find(names, value) != names.end();
}

constexpr std::uint64_t kMostWorkers = 1024;
constexpr std::uint64_t kMostListed = 1000;
constexpr std::uint64_t kMostOffset = 9999;

constexpr std::array kOptions{
    Option{"socket", "PATH", kEvery, "the path of a socket",
           [](Options& options, std::string_view value) {
             options.socket = value;
             return !value.empty();
           },
           "the admin socket of echod (/run/echod/admin.sock)"},
    Option{"timeout", "TIME", kEvery, "a time from 1ms to 1440m, such as 5s",
           [](Options& options, std::string_view value) {
             return set_duration(options.timeout, value, std::chrono::milliseconds(1));
           },
           "how long to wait for an answer (5s)"},
    Option{"json",
           nullptr,
           {Command::status, Command::connections, Command::close, Command::log_level,
            Command::drain, Command::upgrade},
           "",
           [](Options& options, std::string_view /*value*/) { return options.wants_json = true; },
           "print echod's answer as JSON"},
    Option{"bytes",
           nullptr,
           {Command::status, Command::connections},
           "",
           [](Options& options, std::string_view /*value*/) { return options.wants_bytes = true; },
           "print sizes in bytes, without rounding"},
    Option{"network",
           "NET",
           {Command::connections, Command::close},
           "a network or an address, such as 192.0.2.0/24 or 2001:db8::1",
           [](Options& options, std::string_view value) {
             options.network = value;
             return !value.empty();
           },
           "only connections of peers in this network, such as\n"
           "192.0.2.0/24; 0.0.0.0/0 and ::/0 are all"},
    Option{"state",
           "STATE",
           {Command::connections},
           "echoing, flushing, delivering or lingering",
           [](Options& options, std::string_view value) {
             return set_name(options.state, value, kStates);
           },
           "only connections in this state: echoing, flushing,\n"
           "delivering or lingering"},
    Option{"worker",
           "N",
           {Command::connections},
           "the number of a worker: 0 to 1024",
           [](Options& options, std::string_view value) {
             return set_count(options.worker, value, 0, kMostWorkers);
           },
           "only connections of this worker"},
    Option{"sort",
           "ORDER",
           {Command::connections},
           "age, idle, bytes, owed or peer",
           [](Options& options, std::string_view value) {
             return set_name(options.sort, value, kOrders);
           },
           "age (the default), idle, bytes or owed, the largest\n"
           "first; or peer"},
    Option{"limit",
           "N",
           {Command::connections},
           "1 to 1000",
           [](Options& options, std::string_view value) {
             return set_count(options.limit, value, 1, kMostListed);
           },
           "print at most this many (100)"},
    Option{"offset",
           "N",
           {Command::connections},
           "0 to 9999",
           [](Options& options, std::string_view value) {
             return set_count(options.offset, value, 0, kMostOffset);
           },
           "skip this many (0)"},
    Option{"interval",
           "TIME",
           {Command::top},
           "a time from 100ms to 1440m, such as 2s",
           [](Options& options, std::string_view value) {
             return set_duration(options.interval, value, std::chrono::milliseconds(100));
           },
           "the time between two screens or lines (2s)"},
    Option{"count",
           "N",
           {Command::top},
           "1 or more",
           [](Options& options, std::string_view value) {
             return set_count(options.count, value, 1, UINT64_MAX);
           },
           "end after this many intervals"},
    Option{"file",
           nullptr,
           {Command::log_level},
           "",
           [](Options& options, std::string_view /*value*/) { return options.is_for_file = true; },
           "LEVEL is for the log file (the default)"},
    Option{
        "stderr",
        nullptr,
        {Command::log_level},
        "",
        [](Options& options, std::string_view /*value*/) { return options.is_for_stderr = true; },
        "LEVEL is for standard error; with --file for both"},
    Option{"force",
           nullptr,
           {Command::upgrade},
           "",
           [](Options& options, std::string_view /*value*/) { return options.is_forced = true; },
           "upgrade even if nothing has changed"},
};

// "  NAME    help", with further lines of the help below the first.
std::string help_row(std::string line, std::string_view help) {
  constexpr std::size_t kColumn = 22;
  line.resize(std::max(line.size() + 1, kColumn), ' ');
  for (const char character : help) {
    line += character;
    line += character == '\n' ? std::string(kColumn, ' ') : "";
  }
  return line + '\n';
}

std::string help_for(const CommandRow& row) {
  std::string line = std::string("  ") + row.name;
  line += *row.arguments != '\0' ? std::string(" ") + row.arguments : "";
  return help_row(line, row.help);
}

// "Options of connections and close:", as a key: options with the same commands are one section.
std::string section_of(const Option& option) {
  std::string names;
  const auto count = std::ranges::count_if(
      kCommands, [&](const CommandRow& row) { return option.commands.has(row.command); });
  if (static_cast<std::size_t>(count) == kCommands.size()) {
    return "all commands";
  }
  std::ptrdiff_t named = 0;
  for (const CommandRow& row : kCommands) {
    if (option.commands.has(row.command)) {
      ++named;
      names += named == 1 ? "" : named == count ? " and " : ", ";
      names += row.name;
    }
  }
  return names;
}

std::string help_for_options() {
  std::string text;
  std::string section;
  for (const Option& option : kOptions) {
    if (section != section_of(option)) {
      section = section_of(option);
      text += "\nOptions of " + section + ":\n";
    }
    text += help_row(std::string("  --") + option.name +
                         (option.value != nullptr ? std::string(" ") + option.value : ""),
                     option.help);
  }
  return text;
}

}  // namespace

std::span<const CommandRow> all_commands() noexcept {
  return kCommands;
}

const char* name_of(Command command) noexcept {
  return kCommands[static_cast<std::size_t>(command)].name;
}

std::span<const Option> all_options() noexcept {
  return kOptions;
}

bool is_log_level(std::string_view name) noexcept {
  return std::ranges::find(kLevelNames, name) != kLevelNames.end();
}

std::string help() {
  std::string text =
      "echoctl inspects and controls a running echod over its admin socket.\n\n"
      "Usage: echoctl COMMAND [OPTION]...\n\n"
      "Commands:\n";
  for (const CommandRow& row : kCommands) {
    text += help_for(row);
  }
  return text + help_for_options() + "\nInformation:\n" +
         help_row("  --version", "print the version and exit") +
         help_row("  -h, --help", "print this text and exit") +
         "\nTimes take s, ms, us and m; a time without a unit is in seconds.\n\n"
         "Exit codes:\n"
         "   0  success; healthy; ready\n"
         "   1  not healthy, not ready, or refused by echod\n"
         "  64  wrong command line\n"
         "  69  no answer: echod is not running, is stopping, or is stuck\n"
         "  71  the operating system refused descriptors, memory or output\n"
         "  76  the answer did not come from echod\n"
         "  77  no permission to use the socket\n\n"
         "See echoctl(1).\n";
}

}  // namespace echod::ctl
