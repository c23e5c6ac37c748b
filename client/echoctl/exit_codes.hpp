// The exit codes of echoctl, documented in echoctl(1). They must not change. Codes from 64 on are
// those of sysexits.h(3head).
#pragma once

#include <stdexcept>
#include <string>

namespace echod::ctl {

enum class ExitCode : int {
  success = 0,
  refused = 1,         // echod is not healthy or not ready, or it refused the request.
  usage = 64,          // The command line is wrong.
  unavailable = 69,    // No complete answer came: echod is not running, is stopping, or is stuck.
  system = 71,         // The system refused descriptors, memory or output.
  protocol = 76,       // The answer did not come from echod, or came from another version.
  no_permission = 77,  // The caller may not use the socket.
};

// An error that ends echoctl. what() is one line for the user.
class FatalError : public std::runtime_error {
 public:
  FatalError(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}

  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace echod::ctl
