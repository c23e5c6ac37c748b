// The exit codes of echoload, fixed and documented in echoload(1). From 64 on, sysexits.h(3head).
#pragma once

#include <stdexcept>
#include <string>

namespace echod::client {

enum class ExitCode : int {
  success = 0,
  failed = 1,        // Wrong bytes, a failed check, too many errors, a missed limit.
  interrupted = 3,   // By a signal; nothing was wrong until then.
  usage = 64,        // The command line is wrong.
  unavailable = 69,  // No connection to the server.
  system = 71,       // The operating system refused: descriptors, memory, threads, a file.
};

// Why echoload cannot go on: one line for the user.
class FatalError : public std::runtime_error {
 public:
  FatalError(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}

  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace echod::client
