// The gap of an upgrade: what happens after the old program has stopped and before the new one
// serves. The new program is a script that waits in the gap until the test lets it go on.
#include <sys/stat.h>

#include <vector>

#include "echo_pump.hpp"
#include "sizes.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

class UpgradeGapTest : public UpgradeFixture {
 protected:
  void start_with_gap(const std::string& config = "") {
    start_replaceable(config);
    const std::string folder = daemon().directory().path();
    std::filesystem::copy_file(ECHOD_BINARY, folder + "/echod.next");
    ASSERT_EQ(mkfifo(gate().c_str(), 0600), 0);
    replace_program_by_script("case \"$*\" in *--check-upgrade*) ;;\n*) : > " + folder +
                              "/in_gap; read go < " + gate() + " ;; esac\nexec " + folder +
                              "/echod.next \"$@\"");
  }
  void enter_gap() {
    daemon().signal(SIGHUP);
    wait_until("the gap",
               [this] { return std::filesystem::exists(daemon().directory().file("in_gap")); });
  }
  void leave_gap() { write_file(gate(), "go\n"); }

 private:
  [[nodiscard]] std::string gate() { return daemon().directory().file("gate"); }
};

TEST_F(UpgradeGapTest, WhatClientsSendInItIsEchoedAfterIt) {
  start_with_gap();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("before"));
  }
  enter_gap();
  peers[0].send_all("bytes");
  peers[1].send_all("bytes and FIN");
  peers[1].half_close();
  peers[2].half_close();
  peers[3].send_all("ab");
  peers[3].send_urgent('!');
  peers[3].send_all("cd");
  for (TcpPeer& peer : peers) {
    EXPECT_FALSE(peer.has_news());
  }
  leave_gap();
  EXPECT_EQ(peers[0].receive_exactly(5), "bytes");
  const Tail tail = peers[1].receive_to_end();
  EXPECT_EQ(tail.bytes, "bytes and FIN");
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_EQ(peers[2].receive_to_end().ending, Ending::fin);
  EXPECT_EQ(peers[3].receive_exactly(5), "ab!cd");
  EXPECT_TRUE(peers[0].echoes("and on"));
  EXPECT_TRUE(peers[3].echoes("and on"));
}

TEST_F(UpgradeGapTest, AResetInItEndsItsConnectionAlone) {
  start_with_gap("workers = 1\n");
  TcpPeer stays = connect();
  TcpPeer reset = connect();
  TcpPeer reset_with_bytes = connect();
  TcpPeer reset_while_owed = connect({.receive_buffer_bytes = 8192});
  for (TcpPeer* peer : {&stays, &reset, &reset_with_bytes}) {
    ASSERT_TRUE(peer->echoes("before"));
  }
  send_until_blocked(reset_while_owed);
  enter_gap();
  reset.reset();
  reset_with_bytes.send_all("never to be echoed");
  reset_with_bytes.reset();
  reset_while_owed.reset();
  leave_gap();
  daemon().expect_counter("closed_reset", 3);
  daemon().expect_counter("connections", 1);
  EXPECT_TRUE(stays.echoes("after"));
}

TEST_F(UpgradeGapTest, ClientsThatConnectInItAreServedAfterIt) {
  start_with_gap();
  enter_gap();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(connect());
    peers.back().send_all("hello");
  }
  peers.front().half_close();
  leave_gap();
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_exactly(5), "hello");
  }
  EXPECT_EQ(peers.front().receive_to_end().ending, Ending::fin);
  daemon().expect_counter("accepted", 50);
}

// Nothing but the client's reads wakes the new program up.
TEST_F(UpgradeGapTest, AClientThatReadsInItGetsTheRestAfterIt) {
  start_with_gap("[socket]\nsend_buffer_kib = 32\n[buffers]\nper_connection_kib = 16\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 8192});
  const std::string bytes = Pattern(9).slice(0, 100 * kKib);
  peer.send_all(bytes);
  peer.half_close();
  daemon().wait_for_counter("flips_to_write", 1);
  enter_gap();
  std::string received = peer.receive_exactly(24 * kKib);
  leave_gap();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(received + tail.bytes == bytes) << received.size() + tail.bytes.size() << " bytes";
}

TEST_F(UpgradeGapTest, AReloadThatIsRequestedInItIsAppliedAfterIt) {
  start_with_gap();
  TcpPeer idle = connect();
  ASSERT_TRUE(idle.echoes("hello"));
  enter_gap();
  write_config("[timeouts]\nidle_s = 0.2\n");
  daemon().signal(SIGHUP);
  leave_gap();
  (void)daemon().wait_for_err("reload: applied");
  EXPECT_EQ(idle.receive_to_end().ending, Ending::fin);
  daemon().expect_counter("closed_idle_timeout", 1);
}

TEST_F(UpgradeGapTest, AStopInItDrainsAfterIt) {
  start_with_gap();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  enter_gap();
  peer.send_all("the last bytes");
  daemon().signal(SIGTERM);
  leave_gap();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "the last bytes");
  EXPECT_EQ(tail.ending, Ending::fin);
  peer.close();
  daemon().finish_stopped();
}

TEST_F(UpgradeGapTest, TheNameOfTheConfigurationIsStillThatOfItsFile) {
  start_with_gap();
  enter_gap();
  leave_gap();
  wait_for_upgrade();
  EXPECT_TRUE(daemon()
                  .wait_for_err("started: ", 2)
                  .ends_with(", configuration: " + daemon().config_path()));
}

}  // namespace
}  // namespace echod::test
