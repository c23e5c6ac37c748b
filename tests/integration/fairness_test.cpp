// Nobody starves: one connection's flood cannot hold up another's ping.
#include <algorithm>
#include <atomic>

#include "background.hpp"
#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

constexpr std::uint64_t kGib = 1024 * kMib;

class FairnessTest : public DaemonTest {
 protected:
  static constexpr std::size_t kFloods = 8;
  static constexpr std::uint64_t kFloodBytes = 256 * kKib;

  // What the log says was done from the thaw to the ping's echo: the order in which turns were
  // given, whatever the speed.
  struct Before {
    std::uint64_t echoes = 0;
    std::uint64_t bytes = 0;
    std::uint64_t accepts = 0;
  };

  void start_traced(const std::string& config) {
    start(
        "workers = 1\n"  // Turns are those of one worker.
        "[socket]\nreceive_buffer_kib = 1024\nsend_buffer_kib = 1024\n"
        "[log]\nfile_level = \"trace\"\nconnection_lines_per_second = 0\n" +
        config);
  }

  // The pinger has been echoed to once, then the daemon was frozen, and now it is thawed.
  Before before_ping_of(TcpPeer& pinger) {
    EXPECT_EQ(pinger.receive_exactly(kPing.size()), kPing);
    const std::string ping = "echo peer=" + pinger.name() + ' ';
    (void)daemon().wait_for_log(ping, 2);
    Before before;
    int pings = 0;
    for (const std::string& line : daemon().log_lines()) {
      if (line.find(ping) != std::string::npos && ++pings == 2) {
        return before;
      }
      if (pings == 1 && line.find(ping) == std::string::npos) {
        const bool is_echo = line.find(" - TRACE - echo ") != std::string::npos;
        before.echoes += is_echo ? 1U : 0U;
        before.bytes += is_echo ? std::stoull(line.substr(line.find(" in=") + 4)) : 0U;
        before.accepts += line.find(" - DEBUG - open ") != std::string::npos ? 1U : 0U;
      }
    }
    ADD_FAILURE() << "there is no second echo in the log";
    return before;
  }

  // A ping that arrives together with eight floods.
  Before before_ping_beside_floods() {
    std::vector<TcpPeer> floods;
    for (std::size_t i = 0; i < kFloods; ++i) {
      floods.push_back(connect({.receive_buffer_bytes = 1024 * 1024}));
      EXPECT_TRUE(floods.back().echoes("ready"));
    }
    TcpPeer pinger = connect();
    EXPECT_TRUE(pinger.echoes("ready"));

    daemon().freeze();
    const std::string flood = Pattern(31).slice(0, kFloodBytes);
    for (TcpPeer& peer : floods) {
      peer.send_all(flood);
    }
    pinger.send_all(kPing);
    wait_until("all to be in the receive queues", [&] {
      return pinger.unacknowledged() == 0 &&
             std::all_of(floods.begin(), floods.end(),
                         [](const TcpPeer& peer) { return peer.unacknowledged() == 0; });
    });
    daemon().thaw();
    const Before before = before_ping_of(pinger);
    for (TcpPeer& peer : floods) {
      EXPECT_EQ(peer.receive_exactly(flood.size()), flood);
    }
    return before;
  }

  const std::string kPing = std::string(64, 'p');
};

TEST_F(FairnessTest, APingWaitsForNoMoreBytesOfEachFloodThanATurnHas) {
  constexpr std::uint64_t kTurnBytes = 16 * kKib;
  start_traced("[turn]\nbytes_kib = 16\n[buffers]\nper_connection_kib = 16\n");
  EXPECT_LE(before_ping_beside_floods().bytes, kFloods * kTurnBytes);
}

TEST_F(FairnessTest, APingWaitsForNoMoreReadsOfEachFloodThanATurnHas) {
  constexpr std::uint64_t kTurnReads = 2;
  start_traced("[turn]\nbytes_kib = 65536\nreads = 2\n[buffers]\nper_connection_kib = 4\n");
  EXPECT_LE(before_ping_beside_floods().echoes, kFloods * kTurnReads);
}

TEST_F(FairnessTest, APingWaitsForNoMoreOfAStormOfConnectsThanATurnAccepts) {
  constexpr std::uint64_t kTurnAccepts = 8;
  start_traced("[turn]\naccepts = 8\n");
  TcpPeer pinger = connect();
  ASSERT_TRUE(pinger.echoes("ready"));
  daemon().freeze();
  std::vector<TcpPeer> storm;
  for (int i = 0; i < 400; ++i) {
    storm.push_back(connect());
  }
  pinger.send_all(kPing);
  wait_until("the ping to be in the receive queue", [&] { return pinger.unacknowledged() == 0; });
  daemon().thaw();
  EXPECT_LE(before_ping_of(pinger).accepts, kTurnAccepts);
  for (TcpPeer& peer : storm) {
    EXPECT_TRUE(peer.echoes("served"));
  }
}

TEST_F(FairnessTest, APingWaitsForNoMoreSplicedBytesOfEachFloodThanATurnHas) {
  constexpr std::uint64_t kTurnBytes = 128 * kKib;
  start_traced("");
  EXPECT_LE(before_ping_beside_floods().bytes, kFloods * kTurnBytes);
  EXPECT_GT(daemon().counter("splice_rounds"), 0U);
}

// Floods that never stop: their turns end by the budget, none of it is lost and nobody hangs.
TEST_F(FairnessTest, PingsUnderEightFloodsAllComeBack) {
  constexpr std::uint64_t kTurnBytes = 4 * kKib;
  start("[turn]\nbytes_kib = 4\n");
  std::atomic<bool> is_flooding = false;
  std::vector<TcpPeer> floods;
  std::vector<EchoPump> pumps;
  for (std::size_t i = 0; i < kFloods; ++i) {
    floods.push_back(connect());
  }
  for (TcpPeer& peer : floods) {
    pumps.emplace_back(peer, PumpPlan{.bytes = 1000 * kGib, .seed = 32});
  }
  Background flooder([&](const std::atomic<bool>& is_over) {
    run_pumps(pumps, [&] {
      is_flooding = std::all_of(pumps.begin(), pumps.end(),
                                [](const EchoPump& pump) { return pump.received() > kMib; });
      return is_over.load();
    });
  });
  const bool has_begun = eventually([&] { return is_flooding.load(); });
  TcpPeer pinger = connect();
  const Pattern pattern(33);
  int good = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    good += pinger.echoes(pattern.slice(i, 1 + i % 64)) ? 1 : 0;
  }
  flooder.finish();
  EXPECT_EQ(good, 300);
  EXPECT_TRUE(has_begun) << "a flood starved";
  const auto counters = daemon().counters();
  const std::uint64_t full_turns = kFloods * kMib / kTurnBytes / 2;
  EXPECT_GE(counters.at("turns_over_budget"), full_turns) << "half of what had flooded at first";
  EXPECT_LE(counters.at("bytes_received"), counters.at("echoes") * kTurnBytes);
}

}  // namespace
}  // namespace echod::test
