// Connections over a UNIX socket: what comes back, how they end, and what operators see of them.
// upgrade_local_test is about the path.
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "admin_client.hpp"
#include "local_fixture.hpp"
#include "pattern.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

using Json = nlohmann::json;

// More than the send buffer of echod and less than that and a reply buffer: echod owes some of it.
constexpr std::size_t kOwedBytes = 300 * kKib;

class LocalTest : public LocalFixture {
 protected:
  [[nodiscard]] Json ask(const std::string& target) const {
    return Json::parse(AdminClient(admin_path()).get(target).body);
  }
  [[nodiscard]] std::string metrics() const {
    return AdminClient(admin_path()).get("/metrics").body;
  }
  // A client that has sent kOwedBytes and read nothing. echod owes some of them.
  [[nodiscard]] TcpPeer owed(std::uint64_t seed = 1) {
    const std::uint64_t before = daemon().counter("flips_to_write");
    TcpPeer peer = connect_local();
    peer.send_all(Pattern(seed).slice(0, kOwedBytes));
    daemon().wait_for_counter("flips_to_write", before + 1);
    return peer;
  }
  static void expect_owed(const std::string& bytes, std::uint64_t seed = 1) {
    EXPECT_EQ(bytes.size(), kOwedBytes);
    EXPECT_EQ(Pattern(seed).first_difference(bytes, 0), std::nullopt);
  }
};

bool is_in(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(LocalTest, EveryByteOfManyConnectionsComesBack) {
  start_local();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(connect_local());
  }
  std::vector<EchoPump> pumps;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    pumps.emplace_back(peers[i], PumpPlan{.bytes = 4 * kMib, .seed = i + 1});
  }
  run_pumps(pumps);
  daemon().expect_counter("bytes_sent", 8 * 4 * kMib);
  daemon().expect_counter("closed_peer_closed", 8);
}

TEST_F(LocalTest, ASlowReaderGetsEverythingAfterItsHalfClose) {
  start_local();
  TcpPeer peer = owed();
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  expect_owed(tail.bytes);
  EXPECT_EQ(tail.ending, Ending::fin);
}

// What was sent is in the client's own queue.
TEST_F(LocalTest, AHalfCloseEndsTheConnectionWithoutWaitingForTheReader) {
  start_local();
  TcpPeer peer = connect_local();
  peer.send_all("not read yet");
  peer.half_close();
  daemon().wait_for_counter("closed_peer_closed", 1);
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "not read yet");
  EXPECT_EQ(tail.ending, Ending::fin);
}

TEST_F(LocalTest, AClientThatClosesWithUnreadBytesIsAReset) {
  start_local();
  TcpPeer peer = owed();
  peer.close();
  daemon().wait_for_counter("closed_reset", 1);
  daemon().expect_counter("buffered_bytes", 0);
}

// recv(2) stops before and after a message with descriptors, and no further event tells of the
// rest.
TEST_F(LocalTest, BytesAroundDescriptorsComeBackAndDescriptorsAreDropped) {
  start_local("[log]\nfile_level = \"trace\"\n");  // Without a limit on what a turn reads.
  TcpPeer peer = connect_local();
  ASSERT_TRUE(peer.echoes("hello"));
  const std::size_t before = daemon().open_descriptors();
  daemon().freeze();
  peer.send_all("ab");
  peer.send_with_descriptor('c');
  peer.send_all("de");
  peer.send_with_descriptor('f');
  peer.send_all("gh");
  daemon().thaw();
  EXPECT_EQ(peer.receive_exactly(8), "abcdefgh");
  EXPECT_EQ(daemon().open_descriptors(), before);
}

// Enough echoes that some of them would be timed (relay.hpp), which reads control data, too.
TEST_F(LocalTest, NoDescriptorOfAClientEntersTheProcess) {
  start_local("[limits]\nopen_files = 150\n");
  TcpPeer peer = connect_local();
  for (int i = 0; i < 500; ++i) {
    peer.send_with_descriptor('x');
    ASSERT_EQ(peer.receive_exactly(1), "x");
  }
  TcpPeer other = connect_local();
  EXPECT_TRUE(other.echoes("there are descriptors left"));
}

TEST_F(LocalTest, AnUrgentByteThatWasSentBeforeTheAcceptComesBackInItsPlace) {
  start_local();
  daemon().freeze();
  TcpPeer peer = connect_local();
  peer.send_all("ab");
  try {
    peer.send_urgent('c');
  } catch (const std::system_error& error) {
    daemon().thaw();
    ASSERT_EQ(error.code().value(), EOPNOTSUPP);
    GTEST_SKIP() << "the kernel has no urgent data on UNIX sockets";
  }
  peer.send_all("de");
  daemon().thaw();
  EXPECT_EQ(peer.receive_exactly(5), "abcde");
}

TEST_F(LocalTest, WithoutReplyBuffersEveryByteComesBack) {
  start_with("workers = 1\n" + config("[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n"));
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect_local());
  }
  std::vector<EchoPump> pumps;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    pumps.emplace_back(peers[i], PumpPlan{.bytes = 4 * kMib, .seed = i + 1, .reads = false});
  }
  send_until_blocked(pumps);
  EXPECT_GE(daemon().counter("unbuffered_reads"), 3U);
  for (EchoPump& pump : pumps) {
    pump.read_now();
  }
  run_pumps(pumps);
  daemon().expect_counter("bytes_sent", 4 * 4 * kMib);
}

TEST_F(LocalTest, BulkIsCopied) {
  start_local();
  TcpPeer peer = connect_local();
  EchoPump pump(peer, {.bytes = 16 * kMib, .largest_send = kMib});
  run_pump(pump);
  daemon().expect_counter("splice_rounds", 0);
}

TEST_F(LocalTest, AStopSendsWhatIsOwedAndThenTheEndOfTheStream) {
  start_local();
  TcpPeer late = owed();
  TcpPeer idle = connect_local();
  ASSERT_TRUE(idle.echoes("hello"));
  daemon().signal(SIGTERM);
  EXPECT_EQ(idle.receive_to_end().ending, Ending::fin);
  idle.send_all("too late");  // Is discarded: closing with unread bytes would be a reset.
  const Tail tail = late.receive_to_end();
  expect_owed(tail.bytes);
  EXPECT_EQ(tail.ending, Ending::fin);
  idle.close();
  late.close();
  daemon().finish_stopped();
}

TEST_F(LocalTest, AnIdleConnectionIsClosed) {
  start_local("[timeouts]\nidle_s = 2\n");
  TcpPeer idle = connect_local();
  ASSERT_TRUE(idle.echoes("last words"));
  EXPECT_EQ(idle.receive_to_end().bytes, "");
  daemon().expect_counter("closed_idle_timeout", 1);
}

// There is no reset on UNIX sockets.
TEST_F(LocalTest, AClientThatTakesNothingIsClosed) {
  start_local("[timeouts]\nstalled_write_s = 2\nidle_s = 0\n");
  TcpPeer peer = owed();
  daemon().wait_for_counter("closed_stalled_write", 1);
  daemon().expect_counter("buffered_bytes", 0);
  EXPECT_LT(peer.receive_to_end().bytes.size(), kOwedBytes);
}

TEST_F(LocalTest, ABurstBeyondTheBacklogIsRefusedAndTheOthersAreServed) {
  start_local("backlog = 5\n");
  daemon().freeze();
  std::vector<TcpPeer> peers;
  try {
    for (int i = 0; i < 100; ++i) {
      peers.push_back(connect_local());
    }
    ADD_FAILURE() << "none was refused";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EAGAIN);
  }
  daemon().thaw();
  EXPECT_EQ(peers.size(), 6U);  // The kernel takes one more than the backlog.
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("hello"));
  }
}

TEST_F(LocalTest, AFullDaemonNamesThePathAndServesTheNextOneLater) {
  start_local("[limits]\nmax_connections = 1\n");
  daemon().expect_log("full on unix:" + path_ + ": ");
  TcpPeer first = connect_local();
  ASSERT_TRUE(first.echoes("hello"));
  TcpPeer second = connect_local();
  second.send_all("waits");
  daemon().wait_for_counter("paused_full", 1);
  first.close();
  EXPECT_EQ(second.receive_exactly(5), "waits");
}

TEST_F(LocalTest, OperatorsSeeWhichProcessIsConnected) {
  start_local("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  TcpPeer peer = owed();
  TcpPeer tcp = connect();
  ASSERT_TRUE(tcp.echoes("hello"));
  const std::string name =
      "unix:pid=" + std::to_string(getpid()) + ",uid=" + std::to_string(getuid());
  (void)daemon().wait_for_log("open peer=" + name + " fd=");
  const Json list = ask("/connections?sort=peer");
  ASSERT_EQ(list["connections"].size(), 2U);
  const Json& seen = list["connections"][1];
  EXPECT_EQ(seen["peer"], name);
  EXPECT_EQ(seen["listener"], "unix:" + path_);
  EXPECT_EQ(seen["state"], "flushing");
  // What it has received and not sent. What the client has not read is not known in bytes.
  const auto counters = daemon().counters();
  EXPECT_EQ(seen["owed_bytes"], counters.at("bytes_received") - counters.at("bytes_sent"));
  EXPECT_EQ(ask("/connections?network=0.0.0.0/0")["connections"].size(), 1U);
  EXPECT_EQ(ask("/connections?network=::/0")["connections"].size(), 0U);
  const Json closed =
      Json::parse(AdminClient(admin_path())
                      .request("DELETE", "/connections/" + seen["id"].get<std::string>())
                      .body);
  EXPECT_EQ(closed["closed"], 1);
  EXPECT_LT(peer.receive_to_end().bytes.size(), kOwedBytes);
  daemon().expect_counter("closed_by_operator", 1);
}

TEST_F(LocalTest, OperatorsSeeNoQueueBecauseTheKernelTellsNone) {
  start_local("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  TcpPeer peer = connect_local();
  ASSERT_TRUE(peer.echoes("hello"));
  const Json listener = ask("/status")["listeners"][0];
  EXPECT_EQ(listener["address"], "unix:" + path_);
  EXPECT_EQ(listener["accepted"], 1);
  EXPECT_EQ(listener["connections"], 1);
  EXPECT_EQ(listener["is_open"], true);
  for (const char* const unknown : {"waiting", "queue_limit", "dropped"}) {
    EXPECT_TRUE(listener[unknown].is_null()) << unknown;
  }
  const std::string text = metrics();
  const std::string label = "{listener=\"unix:" + path_ + "\"}";
  EXPECT_TRUE(is_in(text, "echod_listener_connections_accepted_total" + label + " 1\n"));
  EXPECT_TRUE(is_in(text, "echod_listener_open" + label + " 1\n"));
  EXPECT_FALSE(is_in(text, "echod_listener_queue_length" + label));
  EXPECT_FALSE(is_in(text, "echod_listener_queue_dropped_total" + label));
  const ChildResult shown =
      run({.arguments = {ECHOCTL_BINARY, "--socket", admin_path(), "status"}});
  EXPECT_TRUE(matches(shown.out, "unix:" + path_ + " +1 +1 +- +- +-\n")) << shown.out;
}

TEST_F(LocalTest, ABacklogBeyondTheLimitOfTheKernelIsTold) {
  const std::string limit = read_file("/proc/sys/net/core/somaxconn");
  const std::string more = std::to_string(std::stoul(limit) + 1);
  start_local("backlog = " + more + '\n');
  daemon().expect_log("the kernel cuts the backlog of unix:" + path_ + " from " + more + " to ");
}

}  // namespace
}  // namespace echod::test
