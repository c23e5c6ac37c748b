// Makes a system call on a file take very long, as a disk that hangs does: strace(1) does it.
// Thread-safety: none.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "child_process.hpp"

namespace echod::test {

// Longer than any test waits.
inline constexpr const char* kVeryLong = "100000000";  // Microseconds.

// How strace is told to delay `call` on `file`.
[[nodiscard]] inline std::vector<std::string> delaying(const std::string& call,
                                                       const std::string& file,
                                                       const std::string& delay_us = kVeryLong) {
  return {"strace", "-f",
          "-o",     "/dev/null",
          "-P",     file,
          "-e",     "trace=" + call,
          "-e",     "inject=" + call + ":delay_enter=" + delay_us};
}

// While it lives, those of a running process.
class DelayedCalls {
 public:
  DelayedCalls(pid_t process, const std::string& call, const std::string& file) {
    if (!is_installed("strace") || kSanitized) {
      return;
    }
    std::vector<std::string> arguments = delaying(call, file);
    arguments.insert(arguments.end(), {"-p", std::to_string(process)});
    strace_ = std::make_unique<ChildProcess>(ChildOptions{.arguments = arguments});
    const auto has = [](const std::string& err, const char* words) {
      return err.find(words) != std::string::npos;
    };
    is_in_force_ = strace_->wait_for_err([&has](const std::string& err) {
      return has(err, " attached") || has(err, "not permitted");
    }) && !has(strace_->err(), "not permitted");
  }

  // Also ends a delay that is going on.
  void end() { strace_.reset(); }
  // False where strace is missing or may not do that.
  [[nodiscard]] bool is_in_force() const { return is_in_force_; }

 private:
  std::unique_ptr<ChildProcess> strace_;
  bool is_in_force_ = false;
};

}  // namespace echod::test
