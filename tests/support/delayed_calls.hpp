// Makes a system call on a file take very long, as a disk that hangs does: strace(1) does it.
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

// Options of strace that delay `call` on `file`: by default for longer than any test waits.
[[nodiscard]] inline std::vector<std::string> delaying(const std::string& call,
                                                       const std::string& file,
                                                       const std::string& delay_us = "100000000") {
  return {"-o", "/dev/null",     "-P", file,
          "-e", "trace=" + call, "-e", "inject=" + call + ":delay_enter=" + delay_us};
}

// While it lives, those calls of a running process.
class DelayedCalls {
 public:
  DelayedCalls(pid_t process, const std::string& call, const std::string& file) {
    if (is_installed("strace") && !kSanitized) {
      strace_ = attach_strace(process, delaying(call, file));
    }
  }

  // False where strace is missing or may not do that.
  [[nodiscard]] bool is_in_force() const { return strace_ != nullptr; }
  // Also ends a delay that is going on.
  void end() { strace_.reset(); }

 private:
  std::unique_ptr<ChildProcess> strace_;
};

}  // namespace echod::test
