// The commands of echoctl except `top` and `upgrade`: one request, and its answer for people or as
// JSON.
// Thread-safety: none. Blocks until the answer has come, or the timeout is over.
#pragma once

#include <string>

#include "client/echoctl/command_line.hpp"
#include "client/echoctl/exit_codes.hpp"
#include "client/echoctl/http_answer.hpp"
#include "client/echoctl/table.hpp"

namespace echod::ctl {

// What to print for the answer to request_for(options), and the exit code.
struct Outcome {
  std::string text;     // For standard output.
  std::string warning;  // One line for standard error, without a newline; or empty.
  ExitCode code = ExitCode::success;
};

// Throws FatalError if echod refused the request, or if its answer is not understood.
[[nodiscard]] Outcome outcome_of(const Options& options, HttpAnswer answer, const Style& style);

// Throws FatalError.
[[nodiscard]] Outcome run_command(const Options& options);

}  // namespace echod::ctl
