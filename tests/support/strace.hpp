// Runs strace(1) on a process of a test. Check is_installed("strace") first.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "child_process.hpp"

namespace echod::test {

// Attaches strace with these options to all threads of a process. Returns null if that is not
// allowed. strace ends with the process, or by SIGINT.
[[nodiscard]] inline std::unique_ptr<ChildProcess> attach_strace(
    pid_t process, const std::vector<std::string>& options) {
  std::vector<std::string> words{"strace", "-f", "-p", std::to_string(process)};
  words.insert(words.end(), options.begin(), options.end());
  auto strace = std::make_unique<ChildProcess>(ChildOptions{.arguments = words});
  const bool is_attached = strace->wait_for_err(
      [](const std::string& err) { return err.find(" attached") != std::string::npos; });
  return is_attached ? std::move(strace) : nullptr;
}

}  // namespace echod::test
