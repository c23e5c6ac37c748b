// The exit codes of echoload, documented in echoload(1). They must not change. Codes from 64 on are
// those of sysexits.h(3head).
#pragma once

#include <stdexcept>
#include <string>

namespace echod::client {

enum class ExitCode : int {
  success = 0,
  failed = 1,        // Wrong bytes, a failed or skipped check, too many errors or a missed limit.
  interrupted = 3,   // Stopped by a signal without any failure.
  usage = 64,        // The command line or a file for merge is wrong.
  unavailable = 69,  // No connection to the server.
  system = 71,       // The system refused descriptors, memory, threads or a file.
};

// An error that ends echoload. what() is one line for the user.
class FatalError : public std::runtime_error {
 public:
  FatalError(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}

  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace echod::client
