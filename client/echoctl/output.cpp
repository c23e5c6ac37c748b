#include "client/echoctl/output.hpp"

#include <unistd.h>

#include <cstdio>

#include "client/echoctl/exit_codes.hpp"
#include "client/text/figures.hpp"
#include "sys/io_result.hpp"
#include "sys/shared_stream.hpp"

namespace echod::ctl {

void print(std::string text) {
  if (!text.empty() && text.back() != '\n') {
    text += '\n';
  }
  if (const sys::IoResult written = sys::write_waiting(STDOUT_FILENO, text); !written.ok()) {
    throw FatalError(ExitCode::system, std::string("cannot write to standard output: ") +
                                           sys::error_text(written.error()));
  }
}

void report(const std::string& line) {
  (void)std::fprintf(stderr, "echoctl: %s\n", client::one_line(line).c_str());
}

}  // namespace echod::ctl
