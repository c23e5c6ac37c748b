// Every byte comes back, once, in order, for any chunking.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "seed.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

constexpr std::uint64_t kLarge = (kSanitized ? 16 : 64) * kMib;

class ByteExactTest : public DaemonTest {};

TEST_F(ByteExactTest, ALargeStreamOfRandomChunksComesBackUnchanged) {
  start("[buffers]\nsplice = false\n");  // splice_test.cpp has the same with pipes.
  TcpPeer peer = connect();
  EchoPump pump(peer, {.bytes = kLarge, .seed = announce_seed(), .largest_send = 300 * kKib});
  run_pump(pump);
  EXPECT_EQ(pump.received(), kLarge);
  peer.close();
  daemon().expect_counter("bytes_received", kLarge);
  daemon().expect_counter("bytes_sent", kLarge);
}

TEST_F(ByteExactTest, ManyStreamsAtOnceWithRandomHalfClosesComeBackUnchanged) {
  start("[turn]\nbytes_kib = 8\nreads = 2\n[buffers]\nper_connection_kib = 16\ntotal_mib = 1\n");
  const std::uint64_t seed = announce_seed();
  std::mt19937_64 random(seed);
  constexpr int kStreams = 60;
  std::vector<TcpPeer> peers;
  std::vector<EchoPump> pumps;
  std::uint64_t total = 0;
  for (int i = 0; i < kStreams; ++i) {
    peers.push_back(connect({.receive_buffer_bytes = random() % 2 == 0 ? 8192 : 0}));
  }
  for (TcpPeer& peer : peers) {
    const std::uint64_t bytes = random() % (kLarge / kStreams);
    total += bytes;
    pumps.emplace_back(peer, PumpPlan{.bytes = bytes,
                                      .seed = random(),
                                      .largest_send = 1 + random() % (128 * kKib),
                                      .largest_receive = 512 + random() % (128 * kKib)});
  }
  run_pumps(pumps);
  daemon().expect_counter("bytes_sent", total);
}

TEST_F(ByteExactTest, ASmallStreamSentOneByteAtATimeComesBackUnchanged) {
  start();
  TcpPeer peer = connect();
  constexpr std::uint64_t kBytes = 20'000;
  EchoPump pump(peer, {.bytes = kBytes, .seed = 3, .largest_send = 1, .largest_receive = 1});
  run_pump(pump);
  EXPECT_EQ(pump.received(), kBytes);
}

TEST_F(ByteExactTest, EveryByteValueComesBack) {
  start();
  TcpPeer peer = connect();
  std::string bytes;
  for (int value = 0; value < 256; ++value) {
    bytes += static_cast<char>(value);
  }
  EXPECT_TRUE(peer.echoes(bytes));
}

// One read for each turn: whoever stops on its budget must be resumed without a new edge.
TEST_F(ByteExactTest, TheSmallestBudgetLosesNoEdge) {
  start("[turn]\nbytes_kib = 1\nreads = 1\naccepts = 1\n[buffers]\nper_connection_kib = 4\n");
  std::vector<TcpPeer> peers;
  std::vector<EchoPump> pumps;
  constexpr int kStreams = 16;
  for (int i = 0; i < kStreams; ++i) {
    peers.push_back(connect());
  }
  for (TcpPeer& peer : peers) {
    pumps.emplace_back(peer, PumpPlan{.bytes = kMib, .seed = 9});
  }
  run_pumps(pumps);
  EXPECT_GT(daemon().counter("turns_over_budget"), 0U);
}

TEST_F(ByteExactTest, AStreamOverIPv6ComesBackUnchanged) {
  start("[[listen]]\naddress = \"::1\"\nport = 0\n");
  TcpPeer peer("::1", daemon().port());
  EchoPump pump(peer, {.bytes = 4 * kMib, .seed = announce_seed()});
  run_pump(pump);
  EXPECT_EQ(pump.received(), 4 * kMib);
}

}  // namespace
}  // namespace echod::test
