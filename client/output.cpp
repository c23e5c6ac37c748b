#include "output.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "exit_codes.hpp"

namespace echod::client {

Output::Output(const std::string& name) : name_(name) {
  if (!is_standard_output()) {
    file_.open(name, std::ios::trunc);
    require();
  }
}

void Output::write(const std::string& text) {
  if (is_standard_output()) {
    write_to_stdout(text);
    return;
  }
  file_ << text << std::flush;
  require();
}

void Output::require() const {
  if (!file_) {
    throw Stop(ExitCode::system,
               "cannot write " + name_ + ": " + std::system_category().message(errno));
  }
}

void write_to_stdout(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw Stop(ExitCode::system,
               "cannot write to standard output: " + std::system_category().message(errno));
  }
}

}  // namespace echod::client
