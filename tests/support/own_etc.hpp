// Runs programs in a mount namespace where /etc is a directory of the test.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "child_process.hpp"

namespace echod::test {

// Returns the command line that runs `command` with `folder` as /etc.
[[nodiscard]] inline std::vector<std::string> with_own_etc(const std::string& folder,
                                                           std::vector<std::string> command) {
  std::vector<std::string> arguments{"unshare", "--map-root-user",
                                     "--mount", "sh",
                                     "-c",      "mount --bind \"$0\" /etc && exec \"$@\"",
                                     folder};
  for (std::string& word : command) {
    arguments.push_back(std::move(word));
  }
  return arguments;
}

// may_have_own_etc() returns whether that is allowed here. A test that needs it is otherwise
// skipped for this reason:
inline constexpr const char* kNoOwnEtc = "mount namespaces are not allowed here";
[[nodiscard]] inline bool may_have_own_etc() {
  return is_installed("unshare") && is_installed("mount") &&
         run({.arguments = {"unshare", "--map-root-user", "--mount", "true"}}).exit_code == 0;
}

}  // namespace echod::test
