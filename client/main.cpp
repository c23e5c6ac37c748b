// echoload: options, command, exit code.
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "check_command.hpp"
#include "command_line.hpp"
#include "exit_codes.hpp"
#include "load_command.hpp"
#include "process.hpp"

namespace echod::client {
namespace {

void report(const std::string& line) {
  (void)std::fprintf(stderr, "echoload: %s\n", line.c_str());
}

ExitCode run(const Options& options) {
  try {
    return options.command == Command::check ? run_check(options) : run_load(options);
  } catch (const Stop& stop) {
    report(stop.what());
    return stop.code();
  } catch (const std::bad_alloc&) {
    report("not enough memory");
  } catch (const std::exception& error) {
    report(error.what());
  }
  return ExitCode::system;
}

}  // namespace
}  // namespace echod::client

int main(int argc, char** argv) {
  echod::sys::fill_standard_descriptors();
  echod::sys::ignore_write_signals();
  const auto parsed = echod::client::parse_command_line(argc, argv);
  if (parsed.is_final) {
    (void)std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  return static_cast<int>(echod::client::run(parsed.options));
}
