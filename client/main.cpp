// The main program of echoload: parses the command line and runs the command.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "client/check_command.hpp"
#include "client/exit_codes.hpp"
#include "client/load_command.hpp"
#include "client/merge_command.hpp"
#include "client/options/command_line.hpp"
#include "client/output.hpp"
#include "client/text/figures.hpp"
#include "sys/io_result.hpp"
#include "sys/process.hpp"

namespace echod::client {
namespace {

void report(const std::string& line) {
  (void)std::fprintf(stderr, "echoload: %s\n", one_line(line).c_str());
}

// The new_handler. Memory may run out in any thread and in noexcept functions, so this prints one
// line and ends the process at once. If a second thread gets here, it waits for the end.
[[noreturn]] void end_without_memory() {
  constexpr std::string_view kLine = "echoload: not enough memory\n";
  static std::atomic_flag is_ending;
  while (is_ending.test_and_set()) {
    (void)pause();
  }
  // A failure cannot be reported.
  (void)sys::IoResult::of(write(STDERR_FILENO, kLine.data(), kLine.size()));
  std::_Exit(static_cast<int>(ExitCode::system));
}

ExitCode run(const Options& options) {
  try {
    switch (options.command) {
      case Command::run:
        return run_load(options);
      case Command::check:
        return run_check(options);
      case Command::merge:
        return run_merge(options);
    }
  } catch (const FatalError& error) {
    report(error.what());
    return error.code();
  } catch (const std::exception& error) {
    report(error.what());
  }
  return ExitCode::system;
}

// Prints the text for --help, --version or a usage error.
ExitCode finish(const ParsedCommandLine& parsed) {
  if (parsed.exit_code != 0) {
    (void)std::fputs(parsed.text.c_str(), stderr);
    return static_cast<ExitCode>(parsed.exit_code);
  }
  try {
    write_to_stdout(parsed.text);
    return ExitCode::success;
  } catch (const FatalError& error) {
    report(error.what());
    return error.code();
  }
}

}  // namespace
}  // namespace echod::client

int main(int argc, char** argv) {
  std::set_new_handler(&echod::client::end_without_memory);
  echod::sys::fill_standard_descriptors();
  echod::sys::ignore_write_signals();
  const auto parsed = echod::client::parse_command_line(argc, argv);
  if (parsed.is_final) {
    return static_cast<int>(echod::client::finish(parsed));
  }
  return static_cast<int>(echod::client::run(parsed.options));
}
