// A listening socket fails: echod drains and exits, so that the service manager restarts it.
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "notify_socket.hpp"
#include "passed_listener.hpp"
#include "stopped_thread.hpp"

namespace echod::test {
namespace {

constexpr int kSystemError = 71;

class ListenerLostTest : public DaemonTest {
 protected:
  void start_with(const std::string& more) {
    start(DaemonOptions{.config = "workers = 2\n" + listener_.config(more),
                        .environment = {manager_.variable()},
                        .passes = {listener_.fd()}});
    daemon().expect_log(" failed: ");
  }
  // The test shares the passed socket, so it can shut it down for echod too.
  void break_listener() { ASSERT_EQ(shutdown(listener_.fd(), SHUT_RD), 0); }
  [[nodiscard]] bool has_thread(const std::string& name) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(daemon().pid()) + "/task";
    return std::any_of(std::filesystem::directory_iterator(tasks), {}, [&name](const auto& task) {
      return read_file(task.path() / "comm") == name + '\n';
    });
  }

  NotifySocket manager_;
  const PassedListener listener_;
};

TEST_F(ListenerLostTest, EndsTheDaemonWithAReasonOnceItsClientsHaveTheirBytes) {
  start_with("");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  break_listener();
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.close();
  daemon().finish_stopped(kSystemError);
  const std::string message = manager_.wait_for("STATUS=a listening socket failed");
  EXPECT_NE(message.find("\nERRNO=" + std::to_string(EINVAL)), std::string::npos) << message;
}

// The second report comes more than 1 s after the first one. A second stop signal so late would end
// the drain. While draining, the daemon asks the service manager for more time every 2 s.
TEST_F(ListenerLostTest, ASecondWorkerThatReportsItDoesNotCutTheDrainShort) {
  start_with("[timeouts]\nlinger_s = 600\ndrain_s = 600\n");
  TcpPeer first = connect();
  TcpPeer second = connect();
  ASSERT_TRUE(first.echoes("hello"));
  ASSERT_TRUE(second.echoes("hello"));
  {
    const StoppedThread late(daemon().pid(), "worker-1");
    break_listener();
    (void)manager_.wait_for("STOPPING=1");
    for (int message = 0; message < 3; ++message) {
      (void)manager_.wait_for("EXTEND_TIMEOUT_USEC=");
    }
    EXPECT_EQ(daemon().count_log(" failed: "), 1U);
  }
  (void)daemon().wait_for_log(" failed: ", 2);
  for (TcpPeer* peer : {&first, &second}) {
    EXPECT_EQ(peer->receive_to_end().ending, Ending::fin);
  }
  second.close();
  first.close();
  daemon().finish_stopped(kSystemError);
  EXPECT_EQ(daemon().count_log("closing all connections now"), 0U);
  EXPECT_EQ(daemon().count_log(" reason=drained"), 2U);
}

}  // namespace
}  // namespace echod::test
