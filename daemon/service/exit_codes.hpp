// The exit codes of echod, as documented in echod(8). The values are those of sysexits.h(3head) and
// must not change.
#pragma once

#include <stdexcept>
#include <string>

namespace echod {

enum class ExitCode : int {
  stopped = 0,         // Stopped on request: SIGTERM, SIGINT, --quit-on-stdin.
  usage = 64,          // The command line is wrong.
  cannot_listen = 69,  // An address is in use, or is not an address of this host.
  internal = 70,       // A bug, or a worker that does not stop.
  system = 71,         // The operating system refused descriptors, memory or threads.
  no_permission = 77,  // A privileged port without permission, or a security policy forbids it.
  configuration = 78,  // The configuration is wrong, or leaves no descriptor for a connection.
};

// Why the daemon cannot start: an exit code, a message of one line, and the errno of the failed
// call (0 if no call failed).
class StartupError : public std::runtime_error {
 public:
  StartupError(ExitCode code, const std::string& line, int error = 0)
      : std::runtime_error(line), code_(code), error_(error) {}

  [[nodiscard]] ExitCode code() const noexcept { return code_; }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  ExitCode code_;
  int error_;
};

}  // namespace echod
