// The main program of echoctl: parses the command line and runs the command.
#include <cstdio>
#include <exception>
#include <new>

#include "client/echoctl/command_line.hpp"
#include "client/echoctl/commands.hpp"
#include "client/echoctl/exit_codes.hpp"
#include "client/echoctl/output.hpp"
#include "client/echoctl/top_command.hpp"
#include "client/echoctl/upgrade_command.hpp"
#include "sys/process.hpp"

namespace echod::ctl {
namespace {

ExitCode run(const ParsedCommandLine& parsed) {
  if (parsed.is_final && parsed.exit_code != 0) {
    (void)std::fputs(parsed.text.c_str(), stderr);
    return static_cast<ExitCode>(parsed.exit_code);
  }
  if (parsed.is_final) {
    print(parsed.text);
    return ExitCode::success;
  }
  if (parsed.options.command == Command::top) {
    run_top(parsed.options);
    return ExitCode::success;
  }
  const Outcome outcome = parsed.options.command == Command::upgrade ? run_upgrade(parsed.options)
                                                                     : run_command(parsed.options);
  print(outcome.text);
  if (!outcome.warning.empty()) {
    report(outcome.warning);
  }
  return outcome.code;
}

}  // namespace
}  // namespace echod::ctl

int main(int argc, char** argv) {
  using echod::ctl::ExitCode;
  echod::sys::fill_standard_descriptors();
  ExitCode code = ExitCode::system;
  try {
    code = echod::ctl::run(echod::ctl::parse_command_line(argc, argv));
  } catch (const echod::ctl::FatalError& error) {
    echod::ctl::report(error.what());
    code = error.code();
  } catch (const std::bad_alloc&) {
    (void)std::fputs("echoctl: not enough memory\n", stderr);
  } catch (const std::exception& error) {
    echod::ctl::report(error.what());
  }
  return static_cast<int>(code);
}
