#include "service/reload_request.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>

namespace echod::test {
namespace {

signalfd_siginfo hangup(int code, std::uint32_t sender) {
  signalfd_siginfo signal{};
  signal.ssi_signo = SIGHUP;
  signal.ssi_code = code;
  signal.ssi_pid = sender;
  return signal;
}

TEST(ReloadRequestTest, IsASignalWithAValue) {
  EXPECT_EQ(requester_of(hangup(SI_QUEUE, 4711)), 4711);
  EXPECT_EQ(requester_of(hangup(SI_USER, 4711)), 0) << "kill(1)";
  EXPECT_EQ(requester_of(hangup(SI_KERNEL, 0)), 0) << "a terminal";
}

// The process id of the requester may belong to another process by now.
TEST(ReloadRequestTest, AnAnswerIsIgnoredByAProcessThatDoesNotWaitForIt) {
  answer_reload(getpid(), true);
  answer_reload(getpid(), false);
  answer_reload(0, true);
}

}  // namespace
}  // namespace echod::test
