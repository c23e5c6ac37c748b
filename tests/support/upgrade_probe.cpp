// A program that the tests of an upgrade start, copy, replace and damage. The last argument says
// what it does:
//
//   descriptors   prints its process ID, its open descriptors and what it inherited
//   watch         prints for each line of standard input what has changed since it was started; if
//                 $PROBE_NEXT is set, it first renames that file to its own name
//   replace       replaces itself by the program in $PROBE_NEXT, with `descriptors` as argument
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "sys/prepared_exec.hpp"
#include "sys/signal_fd.hpp"
#include "upgrade/program_environment.hpp"
#include "upgrade/program_file.hpp"

// In the shared library beside this program.
int probe_library();

namespace echod::test {
namespace {

void print_descriptors() {
  std::set<std::string> lines;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // The descriptor of this iteration itself is closed only afterwards.
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (!target.ends_with("/fd")) {
      lines.insert(entry.path().filename().string() + ' ' + target);
    }
  }
  std::cout << "pid " << getpid() << '\n';
  for (const std::string& line : lines) {
    std::cout << "descriptor " << line << '\n';
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk") || line.starts_with("SigIgn") || line.starts_with("Name")) {
      std::cout << line << '\n';
    }
  }
  const char* const state = std::getenv(kStateVariable);  // NOLINT(concurrency-mt-unsafe)
  std::cout << "state " << (state != nullptr ? state : "") << '\n';
}

int watch(const ProgramFile& program) {
  std::cout << program.path() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << '[' << program.change() << ']' << std::endl;
  }
  return 0;
}

int replace() {
  sys::block_signals({SIGHUP});
  const int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::thread([] { (void)pause(); }).detach();         // The exec ends it.
  const char* const next = std::getenv("PROBE_NEXT");  // NOLINT(concurrency-mt-unsafe)
  const sys::PreparedExec program(next != nullptr ? next : "", {"next", "descriptors"},
                                  upgrade_environment(kept));
  const int error = sys::replace_program(program, std::span(&kept, 1));
  std::cout << "error " << std::strerror(error) << '\n'  // NOLINT(concurrency-mt-unsafe)
            << "flags " << fcntl(kept, F_GETFD) << ' ' << fcntl(other, F_GETFD) << std::endl;
  _exit(1);  // Another thread still runs.
}

}  // namespace
}  // namespace echod::test

int main(int argc, char** argv) {
  const std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
  const std::string_view mode = arguments.back();
  const char* const next = std::getenv("PROBE_NEXT");  // NOLINT(concurrency-mt-unsafe)
  if (mode == "watch" && next != nullptr) {
    std::filesystem::rename(next, arguments.front());
  }
  const echod::ProgramFile program = echod::ProgramFile::running(arguments);
  if (mode == "watch") {
    return echod::test::watch(program);
  }
  if (mode == "replace") {
    return echod::test::replace();
  }
  echod::test::print_descriptors();
  return probe_library();
}
