// The exit codes of echod, fixed and documented in echod(8). Values from sysexits.h(3head).
#pragma once

#include <stdexcept>
#include <string>

namespace echod {

enum class ExitCode : int {
  stopped = 0,         // As asked: SIGTERM, SIGINT, --quit-on-stdin.
  usage = 64,          // The command line is wrong.
  cannot_listen = 69,  // An address is in use or not this host's.
  internal = 70,       // An error that should not happen; a worker that does not stop.
  system = 71,         // The operating system refused: descriptors, memory, threads.
  no_permission = 77,  // A port below 1024 without the right to it, or a policy forbids it.
  configuration = 78,  // The configuration is wrong, or leaves no descriptor for a connection.
};

// Why the daemon cannot start: one line for the operator, and the errno if a call failed.
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
