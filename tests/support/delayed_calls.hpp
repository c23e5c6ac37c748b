// Delays a system call on a file, as a hanging disk does. Uses strace(1).
// Thread-safety: none.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "deadline.hpp"
#include "strace.hpp"

namespace echod::test {

// Options of strace that delay `call` on `file`. The default is longer than any test waits.
[[nodiscard]] inline std::vector<std::string> delaying(const std::string& call,
                                                       const std::string& file,
                                                       const std::string& delay_us = "100000000") {
  return {"-o", "/dev/null",     "-P", file,
          "-e", "trace=" + call, "-e", "inject=" + call + ":delay_enter=" + delay_us};
}

// Delays these calls of a running process while the object exists.
class DelayedCalls {
 public:
  DelayedCalls(pid_t process, const std::string& call, const std::string& file) {
    if (is_installed("strace") && !kSanitized) {
      strace_ = attach_strace(process, delaying(call, file));
    }
  }

  // False if strace is missing or is not allowed to trace the process.
  [[nodiscard]] bool is_in_force() const { return strace_ != nullptr; }
  // Stops delaying; a call that is delayed now continues.
  void end() { strace_.reset(); }

 private:
  std::unique_ptr<ChildProcess> strace_;
};

}  // namespace echod::test
