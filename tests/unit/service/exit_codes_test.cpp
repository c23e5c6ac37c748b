#include "service/exit_codes.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "files.hpp"

namespace echod {
namespace {

// Otherwise systemd would repeat the same failure once a second.
TEST(ExitCodes, ThatNeedAnOperatorAreNotRestartedByThePackagedUnit) {
  const std::string key = "RestartPreventExitStatus=";
  std::set<int> codes;
  for (const std::string& line :
       test::lines_of(test::read_file(ECHOD_SOURCE_DIR "/packaging/systemd/echod.service"))) {
    std::istringstream values(line.starts_with(key) ? line.substr(key.size()) : "");
    for (int code = 0; values >> code;) {
      codes.insert(code);
    }
  }
  EXPECT_EQ(codes, (std::set<int>{static_cast<int>(ExitCode::usage),
                                  static_cast<int>(ExitCode::no_permission),
                                  static_cast<int>(ExitCode::configuration)}));
}

}  // namespace
}  // namespace echod
