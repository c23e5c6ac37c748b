// Nobody starves: one connection's flood cannot hold up another's ping.
#include <algorithm>
#include <atomic>

#include "background.hpp"
#include "daemon_test.hpp"
#include "echo_pump.hpp"

namespace echod::test {
namespace {

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = 1024 * kKib;
constexpr std::uint64_t kGib = 1024 * kMib;

class FairnessTest : public DaemonTest {};

// The order in which turns were given is in the log: what floods echoed before the ping was.
TEST_F(FairnessTest, APingWaitsForAtMostOneTurnOfEachFlood) {
  constexpr std::uint64_t kTurnKib = 16;
  constexpr std::size_t kFloods = 8;
  start(
      "[turn]\nbytes_kib = 16\n[buffers]\nper_connection_kib = 16\n"
      "[socket]\nreceive_buffer_kib = 1024\nsend_buffer_kib = 1024\n"
      "[log]\nfile_level = \"trace\"\nconnection_lines_per_second = 0\n");
  std::vector<TcpPeer> floods;
  for (std::size_t i = 0; i < kFloods; ++i) {
    floods.push_back(connect({.receive_buffer_bytes = 1024 * 1024}));
    ASSERT_TRUE(floods.back().echoes("ready"));
  }
  TcpPeer pinger = connect();
  ASSERT_TRUE(pinger.echoes("ready"));

  daemon().freeze();
  const std::string flood = Pattern(31).slice(0, 256 * kKib);
  for (TcpPeer& peer : floods) {
    peer.send_all(flood);
  }
  pinger.send_all(std::string(64, 'p'));
  wait_until("all to be in the receive queues", [&] {
    return std::all_of(floods.begin(), floods.end(),
                       [](const TcpPeer& peer) { return peer.unacknowledged() == 0; });
  });
  daemon().thaw();
  EXPECT_EQ(pinger.receive_exactly(64), std::string(64, 'p'));
  for (TcpPeer& peer : floods) {
    EXPECT_EQ(peer.receive_exactly(flood.size()), flood);
  }

  const std::string ping = "echo peer=" + pinger.name() + ' ';
  (void)daemon().wait_for_log(ping, 2);
  std::uint64_t bytes_before = 0;
  std::uint64_t pings = 0;
  for (const std::string& line : daemon().log_lines()) {
    pings += line.find(ping) != std::string::npos ? 1U : 0U;
    const std::size_t in = line.find(" in=");
    if (pings == 1 && line.find(" - TRACE - echo ") != std::string::npos) {
      bytes_before += std::stoull(line.substr(in + 4));
    }
  }
  EXPECT_EQ(pings, 2U);
  EXPECT_LE(bytes_before, kFloods * kTurnKib * kKib + 64) << "from the thaw to the ping's echo";
}

TEST_F(FairnessTest, PingsUnderEightFloodsAllComeBack) {
  start();
  std::atomic<bool> is_flooding = false;
  std::vector<TcpPeer> floods;
  std::vector<EchoPump> pumps;
  for (int i = 0; i < 8; ++i) {
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
}

TEST_F(FairnessTest, AStormOfConnectsDoesNotHoldUpAPing) {
  start("[turn]\naccepts = 1\n[log]\nfile_level = \"info\"\n");
  TcpPeer pinger = connect();
  ASSERT_TRUE(pinger.echoes("ready"));
  daemon().freeze();
  std::vector<TcpPeer> storm;
  for (int i = 0; i < 400; ++i) {
    storm.push_back(connect());
  }
  pinger.send_all("ping");
  daemon().thaw();
  EXPECT_EQ(pinger.receive_exactly(4), "ping");
  for (TcpPeer& peer : storm) {
    EXPECT_TRUE(peer.echoes("served"));
  }
}

}  // namespace
}  // namespace echod::test
