// Bulk that is spliced comes back like all else: with half-closes, late readers, urgent bytes and
// resets.
#include <unistd.h>

#include "child_process.hpp"
#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

constexpr std::uint64_t kLargeSplice = (kSanitized ? 16 : 64) * kMib;

class SpliceTest : public DaemonTest {
 protected:
  // The daemon's, so that much waits there afterwards.
  void let_receive_buffer_grow(TcpPeer& peer) {
    pump_against_full_queue(peer, {.bytes = kLargeSplice,
                                   .largest_send = kMib,
                                   .largest_receive = kMib,
                                   .half_closes = false});
  }
};

// A MiB may be spliced before the client has read anything.
TEST_F(SpliceTest, WhatWaitsIsSplicedAndComesBackUnchanged) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  pump_against_full_queue(peer, {.bytes = kLargeSplice,
                                 .seed = announce_seed(),
                                 .largest_send = kMib,
                                 .largest_receive = kMib});
  peer.close();
  daemon().expect_counter("bytes_received", kLargeSplice + 5);
  daemon().expect_counter("bytes_sent", kLargeSplice + 5);
  EXPECT_GT(daemon().counter("bytes_spliced"), kMib / 2);
  EXPECT_EQ(daemon().counter("splice_no_pipe"), 0U);
}

TEST_F(SpliceTest, ManyStreamsAtOnceWithLateReadersComeBackUnchanged) {
  start("workers = 2\n");
  const std::uint64_t seed = announce_seed();
  constexpr int kStreams = 40;
  std::vector<TcpPeer> peers;
  std::vector<EchoPump> pumps;
  for (int i = 0; i < kStreams; ++i) {
    peers.push_back(
        connect(i % 2 == 0 ? PeerOptions{.receive_buffer_bytes = 64 * kKib} : PeerOptions{}));
  }
  for (TcpPeer& peer : peers) {
    const bool is_late = pumps.size() % 2 == 0;
    pumps.emplace_back(peer, PumpPlan{.bytes = kLargeSplice / 16,
                                      .seed = seed + pumps.size(),
                                      .largest_send = 512 * kKib,
                                      .largest_receive = is_late ? 16 * kKib : 512 * kKib});
  }
  run_pumps(pumps);
  daemon().expect_counter("bytes_sent", kStreams * (kLargeSplice / 16));
  EXPECT_GT(daemon().counter("splice_rounds"), 0U);
}

// Bytes in the pipe are owed when the FIN comes, and the FIN must not overtake them.
TEST_F(SpliceTest, AHalfCloseWithALateReaderLosesNothing) {
  start();
  TcpPeer peer = connect(kLateReader);
  std::vector<EchoPump> pumps;
  pumps.emplace_back(
      peer,
      PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 5, .largest_send = kMib, .reads = false});
  send_until_blocked(pumps);
  EXPECT_GT(daemon().counter("splice_rounds"), 0U);
  EXPECT_GT(daemon().counter("flips_to_write"), 0U);
  pumps.front().read_now();
  run_pumps(pumps);
  daemon().expect_counter("bytes_sent", kMoreThanBuffersHold);
}

// The kernel puts what a thread sends into a page one after the other, whatever the socket. So the
// pieces of one of two clients that take turns are never adjacent, and each needs a slot of a pipe.
TEST_F(SpliceTest, SmallPiecesAreReadBackAndComeBackUnchanged) {
  start("workers = 1\n");
  const std::uint64_t seed = announce_seed();
  std::vector<TcpPeer> peers;
  std::vector<EchoPump> pumps;
  for (int i = 0; i < 2; ++i) {
    peers.push_back(connect());
    let_receive_buffer_grow(peers.back());
  }
  for (TcpPeer& peer : peers) {
    pumps.emplace_back(peer, PumpPlan{.bytes = kMoreThanBuffersHold,
                                      .seed = seed + pumps.size(),
                                      .largest_send = 500,
                                      .reads = false});
  }
  daemon().freeze();
  send_until_blocked(pumps);
  daemon().thaw();
  for (EchoPump& pump : pumps) {
    pump.send_no_more();
    pump.read_now();
  }
  run_pumps(pumps);
  EXPECT_GT(daemon().counter("splice_read_backs"), 0U);
}

TEST_F(SpliceTest, UrgentBytesAmidBulkComeBackInTheirPlaces) {
  start();
  const std::string bulk(300 * kKib, 'b');
  for (int round = 0; round < 20; ++round) {
    TcpPeer peer = connect();
    peer.send_all(bulk);
    peer.send_urgent('!');
    peer.send_all(bulk);
    peer.send_urgent('?');
    peer.half_close();
    const Tail tail = peer.receive_to_end();
    EXPECT_EQ(tail.ending, Ending::fin);
    ASSERT_TRUE(tail.bytes == bulk + '!' + bulk + '?') << tail.bytes.size() << " bytes came back";
  }
}

TEST_F(SpliceTest, UrgentBytesComeBackOnAConnectionThatSplices) {
  start();
  TcpPeer peer = connect();
  let_receive_buffer_grow(peer);
  const std::string bulk(kMib, 'b');
  const std::uint64_t spliced = daemon().counter("splice_rounds");
  daemon().freeze();
  peer.send_all(bulk);
  daemon().thaw();
  daemon().wait_for_counter("splice_rounds", spliced + 1);
  peer.send_urgent('!');
  peer.send_all(bulk);
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(tail.bytes == bulk + '!' + bulk) << tail.bytes.size() << " bytes came back";
}

TEST_F(SpliceTest, ResetsAmidBulkEndTheirConnectionsAlone) {
  start("workers = 1\n");
  constexpr int kResets = 50;
  for (int round = 0; round < kResets; ++round) {
    TcpPeer peer = connect();
    std::vector<EchoPump> pumps;
    pumps.emplace_back(peer, PumpPlan{.bytes = kLargeSplice, .seed = 1, .largest_send = kMib});
    run_pumps(pumps, [&] { return pumps.front().received() > 2 * kMib; });
    peer.reset();
  }
  daemon().expect_counter("closed_reset", kResets);
  EXPECT_GT(daemon().counter("splice_rounds"), 0U);
  EXPECT_TRUE(connect().echoes("still here"));
}

TEST_F(SpliceTest, BulkIsCopiedIfItIsOffOrABufferOrATurnIsTooSmallForARound) {
  const std::string off = "[buffers]\nsplice = false\n";
  for (const std::string& config : {off, std::string("[buffers]\nper_connection_kib = 63\n"),
                                    std::string("[turn]\nbytes_kib = 63\n")}) {
    start(config);
    if (config != off) {
      (void)daemon().wait_for_err("splice: no pipes, so bulk is copied; pipes need 64 KiB");
    }
    TcpPeer peer = connect();
    EchoPump pump(peer, {.bytes = 8 * kMib, .seed = 1, .largest_send = kMib});
    run_pump(pump);
    EXPECT_EQ(daemon().counter("splice_rounds"), 0U) << config;
    peer.close();
    TearDown();
  }
}

// Fills the pipe memory that the kernel allows a user (pipe-user-pages-soft, pipe(7)), and keeps
// it.
constexpr const char* kPipeHog = R"(
import fcntl, os, sys
pipes = []
try:
    while True:
        pipes.append(os.pipe())
        fcntl.fcntl(pipes[-1][1], fcntl.F_SETPIPE_SZ, 1 << 20)
except PermissionError:
    print("full", flush=True)
sys.stdin.read()
)";

TEST_F(SpliceTest, WithoutRootAndWithoutPipeMemoryForItsUserEverythingIsCopied) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to start the daemon as another user";
  }
  constexpr uid_t kUser = 65533;  // Not that of other tests, whose pipes would count.
  ChildProcess hog({.arguments = {"python3", "-c", kPipeHog}, .user = kUser, .has_stdin = true});
  wait_until("the pipe memory to be used up", [&hog] { return hog.out() == "full\n"; });
  start(DaemonOptions{.user = kUser});
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  pump_against_full_queue(
      peer, {.bytes = kMoreThanBuffersHold, .seed = announce_seed(), .largest_send = kMib});
  EXPECT_GT(daemon().counter("splice_pipe_too_small") + daemon().counter("splice_no_pipe"), 0U);
  EXPECT_EQ(daemon().counter("bytes_spliced"), 0U);
}

}  // namespace
}  // namespace echod::test
