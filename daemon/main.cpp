// echod: options, configuration, service, exit code.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>

#include "config/command_line.hpp"
#include "config/config_dump.hpp"
#include "config/config_errors.hpp"
#include "config/config_file.hpp"
#include "config/toml_value.hpp"
#include "service/config_source.hpp"
#include "service/exit_codes.hpp"
#include "service/logs.hpp"
#include "service/passed_sockets.hpp"
#include "service/reload_request.hpp"
#include "service/service.hpp"
#include "service/service_manager.hpp"
#include "service/standard_error.hpp"
#include "service/upgrade_check.hpp"
#include "sys/process.hpp"
#include "sys/signal_fd.hpp"
#include "upgrade/inherited_state.hpp"
#include "upgrade/program_file.hpp"

namespace echod {
namespace {

// Flushes, so that a failed write is detected here and the exit code reports it.
ExitCode print(const std::string& text) {
  const bool is_written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!is_written) {
    report_on_stderr("cannot write to standard output: " + std::system_category().message(errno));
  }
  return is_written ? ExitCode::stopped : ExitCode::system;
}

std::string valid_text(const CommandLine& options) {
  if (options.config_file) {
    return shown_name(*options.config_file) + ": valid\n";
  }
  return std::string("there is no ") + kDefaultConfigFile + "; the built-in defaults are valid\n";
}

void notify_manager(std::string_view line, int error) noexcept {
  try {
    ServiceManager().failed(line, error);
  } catch (const std::exception&) {
    return;  // No descriptor or memory: the exit code and standard error report the failure too.
  }
}

// Reports a failed start to the service manager and to the log file. `log` is empty if there is no
// configuration yet; `error` is 0 if no call failed. Returns `code`.
ExitCode fail(const CommandLine& options, const std::optional<LogConfig>& log, ExitCode code,
              std::string_view line, int error = 0) noexcept {
  if (!options.check_config && !options.dump_config && !options.reload &&
      !options.check_upgrade) {  // Those do not serve.
    notify_manager(line, error);
  }
  if (log) {
    log_failed_start(*log, line);
  }
  return code;
}

// Goes on with what an earlier program did, in the same process.
ExitCode run_after_upgrade(CommandLine options, ProgramFile program, InheritedState earlier) {
  options.config_file = config_file_in_use(options);
  const Config config =
      parse_config(earlier.values().service.config_text, "the checked configuration");
  // In a statement of its own: the memory of the state lives until its end.
  Service service(std::move(options), config, std::move(program), {}, std::move(earlier));
  return service.run();
}

ExitCode run(CommandLine options, ProgramFile program) {
  std::optional<LogConfig> log;
  try {
    std::optional<InheritedState> earlier = InheritedState::receive();
    if (options.check_upgrade) {
      if (!earlier) {
        throw StartupError(ExitCode::usage,
                           "--check-upgrade is internal: echod runs it during an upgrade");
      }
      return print(dump_config(config_for_upgrade(options, earlier->values().service)));
    }
    if (earlier) {
      return run_after_upgrade(std::move(options), std::move(program), *std::move(earlier));
    }
    if (options.reload) {
      request_reload(*options.reload);
      return ExitCode::stopped;
    }
    options.config_file = config_file_in_use(options);  // If it exists now, reloads require it.
    const Config config = effective_config(options);
    if (options.check_config) {
      return print(valid_text(options));
    }
    if (options.dump_config) {
      return print(dump_config(config));
    }
    log = config.log;
    return Service(options, config, std::move(program), receive_passed_sockets()).run();
  } catch (const ConfigErrors& errors) {
    for (const std::string& line : errors.lines()) {
      report_on_stderr(line, errors.have_positions() ? "" : kProgramPrefix);
    }
    return fail(options, log, ExitCode::configuration, errors.lines().front());
  } catch (const StartupError& error) {
    report_on_stderr(error.what());
    return fail(options, log, error.code(), error.what(), error.error());
  } catch (const std::system_error& error) {
    report_on_stderr(error.what());
    return fail(options, log, ExitCode::system, error.what(), error.code().value());
  } catch (const std::bad_alloc&) {
    report_on_stderr("not enough memory");
    return fail(options, log, ExitCode::system, "not enough memory", ENOMEM);
  } catch (const std::exception& error) {
    report_on_stderr(error.what());
    return fail(options, log, ExitCode::internal, error.what());
  }
}

}  // namespace
}  // namespace echod

int main(int argc, char** argv) try {
  // First, so that none of these signals kills or stops echod at any time. SIGTERM and SIGINT are
  // not blocked yet: they end echod until it serves.
  echod::sys::block_signals({SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU});
  echod::sys::fill_standard_descriptors();
  echod::sys::ignore_write_signals();
  echod::sys::reap_children();
  echod::sys::disable_huge_pages();
  echod::sys::drop_empty_variables();
  const echod::ParsedCommandLine parsed = echod::parse_command_line(argc, argv);
  if (parsed.is_final && parsed.exit_code != 0) {
    std::string_view line = std::string_view(parsed.text).substr(0, parsed.text.find('\n'));
    line.remove_prefix(echod::kProgramPrefix.size());
    echod::report_on_stderr(line);
    echod::notify_manager(line, 0);
    return parsed.exit_code;
  }
  return static_cast<int>(
      parsed.is_final ? echod::print(parsed.text)
                      : echod::run(parsed.options, echod::ProgramFile::running(
                                                       {argv, static_cast<std::size_t>(argc)})));
} catch (const std::bad_alloc&) {  // From parsing the command line, or from handling another error.
  echod::report_on_stderr("not enough memory");
  return static_cast<int>(echod::ExitCode::system);
}
