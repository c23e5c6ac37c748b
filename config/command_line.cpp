#include "config/command_line.hpp"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <array>
#include <utility>
#include <vector>

#include "config/config_errors.hpp"
#include "config/config_keys.hpp"
#include "config/net/parse_number.hpp"
#include "config/toml_value.hpp"

namespace echod {

namespace {

// Written by hand, because the format of CLI11's help differs between its versions.
constexpr const char* kHelp =
    R"(echod is a TCP and UDP echo server (RFC 862): it sends back what it receives.

Usage: echod [OPTION]...

Configuration:
  --config FILE      Read FILE instead of /etc/echod.toml. Without a file,
                     echod uses its built-in defaults.
  --check-config     Check the configuration, print its errors or that it is
                     valid, and exit. Opens no port and creates no file.
  --dump-config      Print the effective configuration as TOML and exit.

Overrides of the configuration:
  --address A        Listen on this IP address only, such as ::, 0.0.0.0 or ::1.
                     The protocol is that of the first [[listen]].
  --port P           Listen on this port only, with the protocol of the first
                     [[listen]]; 0 means any free port.
  --log-file F       Write the log to F; an empty name means no file.
  --log-level L      Lowest level in the log file: trace, debug, info,
                     warning, error, critical or off.
  --stderr-level L   Lowest level on standard error; the same levels.

Running:
  --quit-on-stdin    Stop when standard input has a line or ends.

  --reload PID       Make the running echod with this process ID reload its
                     configuration. The exit code is 0 if it was applied, 78 if
                     it was refused.

Information:
  --version          Print the version and exit.
  -h, --help         Print this text and exit.

Signals:
  TERM, INT  stop when every client has its bytes back; a second one, at least
             one second later, closes all connections
  HUP        reload the configuration
  USR1       reopen the log file
  USR2       log all counters

Exit codes:
   0  stopped on request
  64  wrong command line
  69  cannot listen: address in use or not available
  70  internal error
  71  the operating system refused descriptors, memory or threads
  77  no permission, as for a port below 1024
  78  configuration error

See echod(8) and echod.toml(5).
)";

// Options that override a key. Their allowed values are those of the key.
struct Override {
  const char* option;
  std::string_view section;
  std::string_view key;
};
constexpr std::array<Override, 5> kOverrides{{{"--address", "listen", "address"},
                                              {"--port", "listen", "port"},
                                              {"--log-file", "log", "file"},
                                              {"--log-level", "log", "file_level"},
                                              {"--stderr-level", "log", "stderr_level"}}};

ParsedCommandLine final_text(std::string text) {
  ParsedCommandLine parsed;
  parsed.is_final = true;
  parsed.text = std::move(text);
  return parsed;
}

ParsedCommandLine usage_error(std::string_view what) {
  constexpr std::size_t kMaxBytes = 400;
  ParsedCommandLine parsed =
      final_text("echod: " + one_line(what, kMaxBytes) + "; see echod --help\n");
  parsed.exit_code = EX_USAGE;
  return parsed;
}

// The parsed command line, before the overrides are checked.
struct Request {
  CommandLine options;
  bool wants_help = false;
  bool wants_version = false;
  std::optional<std::string> reload;
  std::array<std::optional<std::string>, kOverrides.size()> overrides;  // In kOverrides' order.
  std::optional<std::string> misuse;  // The usage error, if there is one.
};

CLI::Option* add_flag(CLI::App& app, const std::string& name, bool& flag) {
  return app.add_flag(name, flag)->check([](const std::string& value) {
    return value == "true" ? "" : std::string("takes no value");  // A bare flag has "true".
  });
}

CLI::Option* add_option(CLI::App& app, const std::string& name, std::optional<std::string>& value) {
  // A callback, because CLI11 treats an empty string in a bound variable as no value.
  return app
      .add_option_function<std::string>(name, [&value](const std::string& given) { value = given; })
      ->type_name("value")
      ->take_last()
      ->allow_extra_args(false);  // Otherwise CLI11 splits "[a,b]" as a list.
}

// The arguments from the last to the first, as CLI11 expects them. "--name=" becomes two arguments,
// the name and an empty value: otherwise CLI11 would use the next argument as the value.
std::vector<std::string> reversed_arguments(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    std::string argument = argv[i];
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      arguments.emplace_back();
      argument.pop_back();
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

// The usage error of an unknown argument or a repeated option. CLI11's own texts are less clear.
std::optional<std::string> misuse(const CLI::App& app) {
  if (const auto left = app.remaining(); !left.empty()) {
    const bool is_option = left.front().starts_with('-');
    return (is_option ? "unknown option " : "unexpected argument ") +
           (left.front().empty() ? "\"\"" : left.front());
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 1) {
      return option->get_name() + " is given " + std::to_string(option->count()) +
             " times; give it once";
    }
  }
  return std::nullopt;
}

// Throws CLI::ParseError.
Request parse(int argc, const char* const* argv) {
  Request request;
  CommandLine& options = request.options;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  add_option(app, "--config", options.config_file);
  CLI::Option* check = add_flag(app, "--check-config", options.check_config);
  CLI::Option* dump = add_flag(app, "--dump-config", options.dump_config)->excludes(check);
  add_flag(app, "--check-upgrade", options.check_upgrade)->excludes(check)->excludes(dump);
  for (std::size_t i = 0; i < kOverrides.size(); ++i) {
    add_option(app, kOverrides[i].option, request.overrides[i]);
  }
  add_flag(app, "--quit-on-stdin", options.quit_on_stdin);
  CLI::Option* reload = add_option(app, "--reload", request.reload);
  for (CLI::Option* other :
       app.get_options([&](const CLI::Option* one) { return one != reload; })) {
    reload->excludes(other);
  }
  add_flag(app, "--version", request.wants_version);
  add_flag(app, "-h,--help", request.wants_help);
  try {
    app.parse(reversed_arguments(argc, argv));
    request.misuse = misuse(app);
  } catch (const CLI::ArgumentMismatch&) {
    // Only an option that ends the command line can lack its value.
    request.misuse = std::string(argv[argc - 1]) + " needs a value";
  }
  return request;
}

// Like assign(), from the text of an option.
std::optional<std::string> assign_text(const Key& key, Config& config, const std::string& text) {
  if (key.allowed.type != KeyType::integer) {
    return assign(key, config, text);
  }
  const auto number = parse_number<std::int64_t>(text);
  if (!number) {
    return wrong_type_text(value_text(text, kShownBytes) + " given", key.allowed);
  }
  return assign(key, config, *number);
}

// Checks the overrides and copies them to the options. Returns the error of the first bad one.
std::optional<std::string> check_overrides(Request& request) {
  Config config;
  for (std::size_t i = 0; i < kOverrides.size(); ++i) {
    const auto& [option, section, name] = kOverrides[i];
    const auto& text = request.overrides[i];
    const auto fault = text ? assign_text(*find_key(section, name), config, *text) : std::nullopt;
    if (fault) {
      return std::string(option) + ": " + *fault;
    }
  }
  const auto& [address, port, log_file, file_level, stderr_level] = request.overrides;
  CommandLine& options = request.options;
  options.address = address;
  options.log_file = log_file;
  if (port) {
    options.port = config.listen.front().address.port();
  }
  if (file_level) {
    options.file_level = config.log.file_level;
  }
  if (stderr_level) {
    options.stderr_level = config.log.stderr_level;
  }
  return std::nullopt;
}

// Checks --reload and copies it to the options. Returns its error.
std::optional<std::string> check_reload(Request& request) {
  if (!request.reload) {
    return std::nullopt;
  }
  const auto pid = parse_number<pid_t>(*request.reload);
  if (!pid || *pid <= 0) {
    return "--reload: " + value_text(*request.reload, kShownBytes) + " given; use a process ID";
  }
  request.options.reload = *pid;
  return std::nullopt;
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  try {
    Request request = parse(argc, argv);
    if (request.misuse) {
      return usage_error(*request.misuse);
    }
    if (request.wants_help) {
      return final_text(kHelp);
    }
    if (request.options.config_file == "") {
      return usage_error("--config: \"\" given; use the name of a file");
    }
    if (request.wants_version) {
      return final_text("echod " ECHOD_VERSION "\n");
    }
    for (const auto& fault : {check_reload(request), check_overrides(request)}) {
      if (fault) {
        return usage_error(*fault);
      }
    }
    ParsedCommandLine parsed;
    parsed.options = std::move(request.options);
    return parsed;
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
}

void override_config(Config& config, const CommandLine& options) {
  if (options.address || options.port) {
    config.listen.resize(1);
    if (config.listen.front().is_local()) {
      config.listen.front() = {};
    }
  }
  if (options.port) {
    config.listen.front().address.set_port(*options.port);
  }
  if (options.address) {
    // Checked again, because the interface that it names may have gone since the start.
    if (const auto fault = assign(*find_key("listen", "address"), config, *options.address)) {
      throw ConfigErrors({"--address: " + *fault}, ConfigErrors::Position::none);
    }
  }
  config.log.file = options.log_file.value_or(config.log.file);
  config.log.file_level = options.file_level.value_or(config.log.file_level);
  config.log.stderr_level = options.stderr_level.value_or(config.log.stderr_level);
}

}  // namespace echod
