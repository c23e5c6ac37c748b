#include "sys/invariant.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "pseudo_terminal.hpp"

namespace echod::test {
namespace {

TEST(InvariantTest, AViolationEndsTheProcessAndNamesTheRule) {
  EXPECT_EXIT(invariant(false, "the rule"), testing::KilledBySignal(SIGABRT),
              "invariant violated: the rule");
}

TEST(InvariantTest, AViolationEndsTheProcessEvenIfStandardErrorBlocks) {
  const PseudoTerminal terminal;
  terminal.fill();
  EXPECT_EXIT(
      {
        (void)dup2(terminal.fd(), STDERR_FILENO);
        invariant(false, "the rule");
      },
      testing::KilledBySignal(SIGALRM), "");
}

}  // namespace
}  // namespace echod::test
