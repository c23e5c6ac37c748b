#include "output.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "exit_codes.hpp"
#include "figures.hpp"

namespace echod::client {

namespace {

void require(const std::ofstream& file, const std::string& name) {
  if (!file) {
    throw Stop(ExitCode::system, "cannot write " + name + ": " + errno_text(errno));
  }
}

}  // namespace

Output::Output(const std::string& name) : name_(name) {
  if (!is_standard_output()) {
    require(std::ofstream(name, std::ios::app), name);
  }
}

void Output::write(const std::string& text) {
  if (is_standard_output()) {
    write_to_stdout(text);
    return;
  }
  std::ofstream file(name_, std::ios::trunc);
  require(file, name_);
  file << text << std::flush;
  require(file, name_);
}

void write_to_stdout(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw Stop(ExitCode::system, "cannot write to standard output: " + errno_text(errno));
  }
}

}  // namespace echod::client
