// Each key that a reload applies: the running daemon uses the new value, also for connections that
// are open already. reload_test tests the reload itself.
#include <csignal>
#include <cstddef>
#include <set>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"
#include "udp_peer.hpp"

namespace echod::test {
namespace {

// Small buffers, which fill up quickly.
constexpr PeerOptions kReloadPeer{.receive_buffer_bytes = 8192, .send_buffer_bytes = 8192};
const std::string kReloadSockets =
    "workers = 1\n[socket]\nreceive_buffer_kib = 16\nsend_buffer_kib = 16\n";

class ReloadKeysTest : public DaemonTest {
 protected:
  void reload(const std::string& config) {
    daemon().reload(config);
    (void)daemon().wait_for_err("reload: applied", ++reloads_);
  }
  void expect_reason(const std::string& peer, const std::string& reason) {
    const std::string line = daemon().wait_for_log("close peer=" + peer + ' ');
    EXPECT_NE(line.find(" reason=" + reason), std::string::npos) << line;
  }
  // Sends more bytes than a turn of the new length takes, and less than one of the old length.
  void expect_shorter_turns(const std::string& key) {
    const std::string before = "workers = 1\n[buffers]\nper_connection_kib = 4\n";
    start(before);
    TcpPeer peer = connect();
    const auto send_three_reads = [&] {
      ASSERT_TRUE(peer.echoes("ready"));
      const std::string bytes(3 * 4 * kKib - 100, 'x');
      daemon().freeze();
      peer.send_all(bytes);
      wait_until("all to have arrived", [&] { return peer.unacknowledged() == 0; });
      daemon().thaw();
      ASSERT_EQ(peer.receive_exactly(bytes.size()), bytes);
    };
    send_three_reads();
    daemon().expect_counter("turns_over_budget", 0);
    reload(before + "[turn]\n" + key);
    send_three_reads();
    daemon().wait_for_counter("turns_over_budget", 1);
  }

 private:
  std::size_t reloads_ = 0;
};

TEST_F(ReloadKeysTest, busy_poll_us) {
  start("workers = 1\n");
  const auto before = daemon().cpu_time();
  reload("workers = 1\nbusy_poll_us = 1000000\n");
  wait_until("the worker to poll for a second before it sleeps",
             [&] { return daemon().cpu_time() - before > std::chrono::milliseconds(50); });
}

TEST_F(ReloadKeysTest, max_connections) {
  start("[limits]\nmax_connections = 1\n");
  daemon().expect_log("full on ");
  TcpPeer first = connect();
  ASSERT_TRUE(first.echoes("hello"));
  TcpPeer second = connect();
  second.send_all("waiting");
  daemon().wait_for_counter("paused_full", 1);
  reload("[limits]\nmax_connections = 2\n");
  EXPECT_TRUE(second.has_news(Deadline(kAtOnce)));
  EXPECT_EQ(second.receive_exactly(7), "waiting");
}

TEST_F(ReloadKeysTest, datagrams_per_source) {
  const std::string before =
      "workers = 1\n[socket]\nreceive_buffer_kib = 64\n"
      "[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1\"\nport = 0\n";
  start(before);
  const UdpPeer peer("127.0.0.1", daemon().datagram_port());
  const auto send_five = [&] {
    daemon().freeze();
    for (int i = 0; i < 5; ++i) {
      peer.send("hello");
    }
    daemon().thaw();
  };
  send_five();
  daemon().wait_for_counter("datagrams_echoed", 5);
  daemon().expect_counter("datagrams_dropped_source_rate", 0);
  reload(before + "[limits]\ndatagrams_per_source = 2\n");
  send_five();
  daemon().wait_for_counter("datagrams_dropped_source_rate", 3);
}

TEST_F(ReloadKeysTest, per_connection_kib) {
  start(kReloadSockets);
  TcpPeer peer = connect(kReloadPeer);
  ASSERT_TRUE(peer.echoes("hello"));
  reload(kReloadSockets + "[buffers]\nper_connection_kib = 4\n");
  ASSERT_TRUE(peer.echoes("hello"));
  send_until_blocked(peer);
  daemon().expect_counter("buffered_bytes", 4 * kKib);
}

TEST_F(ReloadKeysTest, splice) {
  const auto stream = [this] {
    TcpPeer peer = connect();
    pump_against_full_queue(peer, {.bytes = kMoreThanBuffersHold, .seed = 1, .largest_send = kMib});
    return daemon().counter("splice_rounds");
  };
  start("[buffers]\nsplice = false\n");
  EXPECT_EQ(stream(), 0U);
  reload("");
  const std::uint64_t spliced = stream();
  EXPECT_GT(spliced, 0U);
  reload("[buffers]\nsplice = false\n");
  EXPECT_EQ(stream(), spliced);
}

TEST_F(ReloadKeysTest, total_mib) {
  const std::string before = kReloadSockets + "[buffers]\nper_connection_kib = 1024\n";
  start(before);
  TcpPeer stalled = connect(kReloadPeer);
  TcpPeer peer = connect();
  send_until_blocked(stalled);
  daemon().expect_counter("buffered_bytes", kMib);
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().expect_counter("unbuffered_reads", 0);
  reload(before + "total_mib = 1\n");
  wait_until("a read without a buffer", [&] {
    EXPECT_TRUE(peer.echoes("hello"));
    return daemon().counter("unbuffered_reads") > 0;
  });
}

TEST_F(ReloadKeysTest, bytes_kib) {
  expect_shorter_turns("bytes_kib = 1\n");
}

TEST_F(ReloadKeysTest, reads) {
  expect_shorter_turns("reads = 1\n");
}

TEST_F(ReloadKeysTest, accepts) {
  const std::string before = "workers = 1\n[log]\nfile_level = \"trace\"\n";
  start(before);
  TcpPeer pinger = connect();
  ASSERT_TRUE(pinger.echoes("hello"));
  reload(before + "[turn]\naccepts = 2\n");
  ASSERT_TRUE(pinger.echoes("hello"));
  daemon().freeze();
  std::vector<TcpPeer> others;
  for (int i = 0; i < 40; ++i) {
    others.push_back(connect());
  }
  pinger.send_all("a ping");
  wait_until("it to have arrived", [&] { return pinger.unacknowledged() == 0; });
  daemon().thaw();
  EXPECT_EQ(pinger.receive_exactly(6), "a ping");
  (void)daemon().wait_for_log(" - TRACE - echo peer=" + pinger.name() + ' ', 3);
  std::size_t accepted = 0;
  for (const std::string& line : daemon().log_lines()) {
    accepted += line.find(" - DEBUG - open ") != std::string::npos ? 1U : 0U;
    if (line.find("in=6 ") != std::string::npos) {
      break;
    }
  }
  EXPECT_LE(accepted, 1U + 2 * 2U) << "the pinger, and two turns of the listener";
}

TEST_F(ReloadKeysTest, idle_s) {
  start("[timeouts]\nidle_s = 0\nstalled_write_s = 0\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  reload("[timeouts]\nidle_s = 0.2\nstalled_write_s = 0\n");
  EXPECT_TRUE(peer.has_news(Deadline(kAtOnce)));
  expect_reason(peer.name(), "idle_timeout");
}

TEST_F(ReloadKeysTest, stalled_write_s) {
  const std::string before = kReloadSockets + "[timeouts]\nidle_s = 0\nstalled_write_s = ";
  start(before + "0\n");
  TcpPeer peer = connect(kReloadPeer);
  send_until_blocked(peer);
  reload(before + "0.2\n");
  EXPECT_TRUE(eventually([&] { return daemon().count_log(" reason=stalled_write") > 0; },
                         Deadline(kAtOnce)));
}

TEST_F(ReloadKeysTest, linger_s) {
  start("[timeouts]\nlinger_s = 600\ndrain_s = 600\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  reload("[timeouts]\nlinger_s = 0.2\ndrain_s = 600\n");
  daemon().signal(SIGTERM);
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "linger_timeout");
}

TEST_F(ReloadKeysTest, drain_s) {
  start(kReloadSockets + "[timeouts]\ndrain_s = 600\n");
  TcpPeer peer = connect(kReloadPeer);
  send_until_blocked(peer);
  reload(kReloadSockets + "[timeouts]\ndrain_s = 0.2\n");
  daemon().signal(SIGTERM);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "drain_deadline");
}

TEST_F(ReloadKeysTest, file) {
  start(
      DaemonOptions{.config = "[log]\nfile = \"network-server.log\"\n", .has_log_argument = false});
  (void)daemon().wait_for_log("started: ");
  const std::string other = daemon().directory().file("other.log");
  reload("[log]\nfile = \"" + other + "\"\n");
  EXPECT_TRUE(connect().echoes("hello"));
  wait_until("a line in the other file",
             [&] { return read_file(other).find("close peer=") != std::string::npos; });
  EXPECT_EQ(daemon().count_log("peer="), 0U);
}

TEST_F(ReloadKeysTest, file_level) {
  start();
  TcpPeer peer = connect();
  reload("[log]\nfile_level = \"trace\"\n");
  ASSERT_TRUE(peer.echoes("hello"));
  (void)daemon().wait_for_log(" - TRACE - echo peer=" + peer.name() + ' ');
}

TEST_F(ReloadKeysTest, stderr_level) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  reload("[log]\nstderr_level = \"debug\"\n");
  const std::string name = peer.name();
  peer.close();
  (void)daemon().wait_for_err("close peer=" + name + ' ');
}

TEST_F(ReloadKeysTest, connection_lines_per_second) {
  start("[log]\nconnection_lines_per_second = 0\n");
  daemon().allow_log("lines about connections were suppressed");
  reload("[log]\nconnection_lines_per_second = 1\n");
  wait_until("a line to be suppressed", [this] {
    EXPECT_TRUE(connect().echoes("hello"));
    return daemon().counter("connection_lines_suppressed") > 0;
  });
}

// The test cases are named after the keys.
TEST(ReloadKeysListTest, EveryKeyThatAReloadAppliesIsTested) {
  std::set<std::string> documented;
  bool is_applied_by_reload = false;
  for (const std::string& line : lines_of(read_file(ECHOD_SOURCE_DIR "/config/echod.toml"))) {
    if (is_applied_by_reload) {
      documented.insert(line.substr(0, line.find(' ')));
    }
    is_applied_by_reload = line.find("; applied by: reload.") != std::string::npos;
  }
  std::set<std::string> tested;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; suite.name() == std::string("ReloadKeysTest") && j < suite.total_test_count();
         ++j) {
      tested.insert(suite.GetTestInfo(j)->name());
    }
  }
  EXPECT_EQ(tested, documented);
}

}  // namespace
}  // namespace echod::test
