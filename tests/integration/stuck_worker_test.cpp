// A stuck worker is logged; it does not delay other workers and loses no byte.
#include <csignal>

#include "daemon_test.hpp"
#include "notify_socket.hpp"
#include "stopped_thread.hpp"

namespace echod::test {
namespace {

class StuckWorkerTest : public DaemonTest {};

TEST_F(StuckWorkerTest, IsLoggedWhileTheOthersServeAndThenContinues) {
  start(DaemonOptions{.config = "workers = 2\n", .arguments = {"--stderr-level", "off"}});
  daemon().expect_log("worker 0 has not answered for 6 s: its 3 connections are stalled");
  daemon().expect_log("worker 0 answers again");
  std::vector<TcpPeer> peers;
  fill_equally(peers, 6);
  {
    const StoppedThread stuck(daemon().pid(), "worker-0");
    for (int i = 0; i < 8; ++i) {
      peers.push_back(connect());
      EXPECT_TRUE(peers.back().echoes("served by the other"));
    }
    for (TcpPeer& peer : peers) {
      peer.send_all("delayed echo");
    }
    (void)daemon().wait_for_err("worker 0 has not answered");
    daemon().expect_counter("worker_stalls", 1);
    daemon().expect_counter("connections_of_fullest_worker", 11);
  }
  (void)daemon().wait_for_err("worker 0 answers again");
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_exactly(12), "delayed echo");
  }
  fill_equally(peers, 28);
  peers.clear();
}

TEST_F(StuckWorkerTest, DoesNotPreventAStop) {
  NotifySocket manager;
  start(DaemonOptions{.config = "workers = 2\n[timeouts]\ndrain_s = 0.2\n",
                      .arguments = {"--stderr-level", "off"},
                      .environment = {manager.variable()}});
  daemon().expect_log("worker 0 has not answered for 6 s");
  daemon().expect_log("1 of 2 workers are stuck and do not end; exiting without them");
  daemon().expect_log("stopped: 2 connections served");
  TcpPeer first = connect();
  TcpPeer second = connect();
  ASSERT_TRUE(first.echoes("hello"));
  ASSERT_TRUE(second.echoes("hello"));
  {
    const StoppedThread stuck(daemon().pid(), "worker-0");
    daemon().signal(SIGTERM);
    (void)daemon().wait_for_err("exiting without them");
    (void)daemon().wait_for_log("stopped: ");
  }
  constexpr int kInternalError = 70;
  daemon().finish_stopped(kInternalError);
  (void)manager.wait_for("STATUS=exited with stuck workers");
}

}  // namespace
}  // namespace echod::test
