// An upgrade in place loses, repeats and changes no byte, and closes no connection.
#include <atomic>
#include <list>
#include <set>
#include <vector>

#include "background.hpp"
#include "echo_pump.hpp"
#include "seed.hpp"
#include "sizes.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

// Clients that send without end until is_over.
class EndlessClients {
 public:
  void add(std::uint16_t port, const PeerOptions& options, PumpPlan plan) {
    plan.bytes = UINT64_MAX;
    pumps_.emplace_back(peers_.emplace_back("127.0.0.1", port, options), plan);
  }
  // Throws if a byte is wrong or a connection ends early. Each ends by a FIN of both sides.
  void run(const std::atomic<bool>& is_over) {
    run_pumps(pumps_, [&is_over] { return is_over.load(); });
    for (EchoPump& pump : pumps_) {
      pump.send_no_more();
    }
    run_pumps(pumps_);
    peers_.clear();
  }

 private:
  std::list<TcpPeer> peers_;
  std::vector<EchoPump> pumps_;
};

// Connects again and again, sends a few bytes and a FIN, and checks what comes back.
void run_brief_clients(const std::atomic<bool>& is_over, std::uint16_t port, std::uint64_t seed,
                       std::atomic<std::uint64_t>& served) {
  while (!is_over) {
    TcpPeer peer("127.0.0.1", port);
    EchoPump pump(peer, {.bytes = 1 + seed % (100 * kKib), .seed = seed});
    run_pump(pump);
    ++served;
    seed = seed * 31 + 7;
  }
}

struct UpgradeLoad {
  std::string name;
  std::string config;
  int upgrades = 0;
  PeerOptions bulk;  // Of the clients that send most.
  std::string used;  // A counter that shows that echod worked in this way.
};

class UpgradeLoadTest : public UpgradeFixture, public testing::WithParamInterface<UpgradeLoad> {
 protected:
  // All receive buffers hold several of the largest segments, and clients send less ahead than
  // echod's receive buffer holds. Otherwise both ends of a connection may fill, and Linux then
  // drops segments of either end and sends them again ever more seldom, with or without an upgrade.
  void add_clients(EndlessClients& clients, std::uint64_t seed) {
    constexpr PeerOptions kSendsLittleAhead{.send_buffer_bytes = 64 * kKib};
    for (std::uint64_t i = 0; i < 4; ++i) {
      const std::uint64_t own = seed + 3 * i;
      clients.add(
          daemon().port(), kSendsLittleAhead,
          {.seed = own, .largest_send = 700, .largest_receive = 900, .most_ahead = 256 * kKib});
      clients.add(daemon().port(), GetParam().bulk,
                  {.seed = own + 1, .largest_send = 512 * kKib, .most_ahead = 1024 * kKib});
      // Reads slowly, so that echod owes it bytes at all times.
      clients.add(daemon().port(),
                  {.receive_buffer_bytes = 256 * kKib, .send_buffer_bytes = 64 * kKib},
                  {.seed = own + 2,
                   .largest_send = 256 * kKib,
                   .largest_receive = 4096,
                   .most_ahead = 1024 * kKib});
    }
  }
};

TEST_P(UpgradeLoadTest, EveryByteComesBackAndEveryConnectionStays) {
  start_replaceable("workers = 2\n" + GetParam().config);
  const std::uint64_t seed = announce_seed();
  const pid_t pid = daemon().pid();
  std::vector<TcpPeer> idle;
  for (int i = 0; i < 20; ++i) {
    idle.push_back(connect());
    ASSERT_TRUE(idle.back().echoes("hello"));
  }
  EndlessClients clients;
  add_clients(clients, seed);
  std::atomic<std::uint64_t> served = 0;
  Background endless([&](const std::atomic<bool>& is_over) { clients.run(is_over); });
  Background brief([&, port = daemon().port()](const std::atomic<bool>& is_over) {
    run_brief_clients(is_over, port, seed, served);
  });
  for (int i = 0; i < GetParam().upgrades; ++i) {
    const std::uint64_t before = served;
    upgrade_program();
    wait_until("a client to be served", [&] { return served > before; });
  }
  brief.finish();
  endless.finish();
  for (TcpPeer& peer : idle) {
    EXPECT_TRUE(peer.echoes("still here"));
  }
  EXPECT_EQ(daemon().pid(), pid);
  daemon().expect_counter("closed_peer_closed", 12 + served);  // And for no other reason:
  const auto counters = daemon().counters();
  EXPECT_EQ(counters.at("upgrades"), upgrades_);
  EXPECT_EQ(counters.at("connections"), idle.size());
  EXPECT_EQ(counters.at("accepted"), idle.size() + 12 + served);
  EXPECT_EQ(counters.at("bytes_received"), counters.at("bytes_sent"));
  EXPECT_GT(counters.at(GetParam().used), 0U);
  idle.clear();
}

INSTANTIATE_TEST_SUITE_P(
    Ways, UpgradeLoadTest,
    testing::Values(
        UpgradeLoad{.name = "Buffered",
                    .config = "[buffers]\nsplice = false\n"
                              "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 1024\n",
                    .upgrades = kSanitized ? 5 : 20,
                    .bulk = {.send_buffer_bytes = 64 * kKib},
                    .used = "flips_to_write"},
        UpgradeLoad{.name = "Unbuffered",
                    .config = "[buffers]\nper_connection_kib = 512\ntotal_mib = 1\n"
                              "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 1024\n",
                    .upgrades = 5,
                    .bulk = {.send_buffer_bytes = 64 * kKib},
                    .used = "unbuffered_reads"},
        UpgradeLoad{.name = "Spliced",
                    .config = "[socket]\nsend_buffer_kib = 64\nreceive_buffer_kib = 1024\n",
                    .upgrades = 5,
                    .bulk = {.send_buffer_bytes = 256 * kKib},
                    .used = "splice_rounds"}),
    [](const auto& tested) { return tested.param.name; });

class UpgradeOwedTest : public UpgradeFixture {
 protected:
  // Clients that have sent until nothing went on, and have read nothing.
  void add_stalled(int count, std::uint64_t bytes) {
    for (int i = 0; i < count; ++i) {
      peers_.push_back(connect({.receive_buffer_bytes = 8192}));
    }
    for (TcpPeer& peer : peers_) {
      pumps_.emplace_back(
          peer,
          PumpPlan{
              .bytes = bytes, .seed = 21 + pumps_.size(), .largest_send = kMib, .reads = false});
    }
    send_until_blocked(pumps_);
  }
  void read_all() {
    for (EchoPump& pump : pumps_) {
      pump.read_now();
    }
    run_pumps(pumps_);
    peers_.clear();
  }
  // Returns how many owed bytes the last upgrade carried over.
  [[nodiscard]] std::uint64_t carried_bytes() {
    const std::string line = daemon().wait_for_err(kUpgraded);
    const std::string words = " connections and ";
    return std::stoull(line.substr(line.find(words) + words.size()));
  }
  [[nodiscard]] std::set<std::string> pipes() {
    std::set<std::string> found;
    const std::string folder = "/proc/" + std::to_string(daemon().pid()) + "/fd";
    for (const auto& fd : std::filesystem::directory_iterator(folder)) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(fd, gone).string();
      const bool is_standard = std::stoi(fd.path().filename()) <= 2;
      if (target.starts_with("pipe:") && !is_standard) {
        found.insert(target);
      }
    }
    return found;
  }

  std::vector<TcpPeer> peers_;
  std::vector<EchoPump> pumps_;
};

TEST_F(UpgradeOwedTest, BytesInBlocksAreCarriedOverTwice) {
  start_replaceable(
      "[buffers]\nsplice = false\n[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n");
  add_stalled(8, 4 * kMib);
  const auto counters = daemon().counters();
  const std::uint64_t owed = counters.at("bytes_received") - counters.at("bytes_sent");
  EXPECT_GT(owed, 0U);
  for (int round = 0; round < 2; ++round) {
    upgrade_program();
    EXPECT_EQ(carried_bytes(), owed);
  }
  daemon().expect_counter("closed_peer_closed", 0);
  read_all();
  daemon().expect_counter("bytes_sent", 8 * 4 * kMib);
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(UpgradeOwedTest, BytesThatFoundNoBlockStayWithTheKernel) {
  start_replaceable(
      "workers = 1\n[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n"
      "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n");
  add_stalled(4, 4 * kMib);
  daemon().wait_for_counter("unbuffered_reads", 3);
  upgrade_program();
  read_all();
  daemon().expect_counter("bytes_sent", 4 * 4 * kMib);
}

// The blocks that the new program may have are fewer than those that were full.
TEST_F(UpgradeOwedTest, OwedBytesGoOnWhenTheirMemoryIsNotAllowedAnyMore) {
  const std::string sockets = "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n";
  start_replaceable("workers = 2\n" + sockets +
                    "[buffers]\nsplice = false\nper_connection_kib = 256\n");
  add_stalled(8, 4 * kMib);
  EXPECT_GT(daemon().counter("buffered_bytes"), kMib);
  upgrade_to("workers = 1\n" + sockets + "[buffers]\nper_connection_kib = 64\ntotal_mib = 1\n");
  read_all();
  daemon().expect_counter("bytes_sent", 8 * 4 * kMib);
  daemon().expect_counter("buffered_bytes", 0);
  stop_daemon();
}

TEST_F(UpgradeOwedTest, BytesInPipesStayInTheirPipes) {
  start_replaceable("workers = 1\n[socket]\nsend_buffer_kib = 64\n");
  peers_.push_back(connect(kLateReader));
  pumps_.emplace_back(
      peers_.front(),
      PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 5, .largest_send = kMib, .reads = false});
  daemon().freeze();
  send_until_blocked(pumps_);
  daemon().thaw();
  send_until_blocked(pumps_);
  EXPECT_GT(daemon().counter("splice_rounds"), 0U);
  const std::set<std::string> before = pipes();
  ASSERT_FALSE(before.empty());
  for (int round = 0; round < 2; ++round) {
    upgrade_program();
    EXPECT_GT(carried_bytes(), 0U);
  }
  EXPECT_EQ(pipes(), before) << "the one that holds bytes";
  read_all();
  daemon().expect_counter("bytes_sent", kMoreThanBuffersHold);
}

// The FIN was read and everything is with the kernel, which waits for the client.
TEST_F(UpgradeOwedTest, ATailThatIsNotAcknowledgedIsDelivered) {
  start_replaceable();
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  const std::string bytes = Pattern(3).slice(0, 100 * kKib);
  peer.send_all(bytes);
  peer.half_close();
  daemon().wait_for_counter("bytes_sent", bytes.size());
  upgrade_program();
  upgrade_program();
  daemon().expect_counter("connections", 1);
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(tail.bytes == bytes) << tail.bytes.size() << " bytes";
  const std::string line = daemon().wait_for_log("close peer=" + peer.name() + ' ');
  EXPECT_NE(line.find(" in=102400 out=102400 "), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with(" reason=peer_closed")) << line;
}

}  // namespace
}  // namespace echod::test
