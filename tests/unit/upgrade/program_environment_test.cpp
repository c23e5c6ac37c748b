#include "upgrade/program_environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

namespace echod::test {
namespace {

// The variables of a service manager, and one whose name only begins like one of them.
const std::vector<std::string> kNames{"NOTIFY_SOCKET",  "WATCHDOG_USEC",      "WATCHDOG_PID",
                                      "LISTEN_FDS",     "LISTEN_PID",         "LISTEN_FDNAMES",
                                      "LOGS_DIRECTORY", "NOTIFY_SOCKET_NAME", "ECHOD_STATE_FD"};

class ProgramEnvironmentTest : public testing::Test {
 protected:
  ProgramEnvironmentTest() {
    for (const std::string& name : kNames) {
      setenv(name.c_str(), "old", 1);
    }
  }
  ~ProgramEnvironmentTest() override {
    for (const std::string& name : kNames) {
      unsetenv(name.c_str());
    }
  }
  // Which of the variables are in `environment`, in the order of kNames.
  static std::vector<std::string> found_in(const std::vector<std::string>& environment) {
    std::vector<std::string> found;
    for (const std::string& name : kNames) {
      std::copy_if(
          environment.begin(), environment.end(), std::back_inserter(found),
          [&name](const std::string& variable) { return variable.starts_with(name + '='); });
    }
    return found;
  }
};

TEST_F(ProgramEnvironmentTest, AnUpgradeKeepsAllButSocketActivation) {
  EXPECT_EQ(found_in(upgrade_environment(7)),
            (std::vector<std::string>{"NOTIFY_SOCKET=old", "WATCHDOG_USEC=old", "WATCHDOG_PID=old",
                                      "LOGS_DIRECTORY=old", "NOTIFY_SOCKET_NAME=old",
                                      "ECHOD_STATE_FD=7"}));
}

TEST_F(ProgramEnvironmentTest, ACheckCannotSpeakToTheServiceManager) {
  EXPECT_EQ(found_in(check_environment(3)),
            (std::vector<std::string>{"LOGS_DIRECTORY=old", "NOTIFY_SOCKET_NAME=old",
                                      "ECHOD_STATE_FD=3"}));
}

}  // namespace
}  // namespace echod::test
