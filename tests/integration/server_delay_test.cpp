// The server's own share of a round trip, compared with the clock of the client.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "admin_client.hpp"
#include "daemon_test.hpp"
#include "passed_listener.hpp"

namespace echod::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Enough reads that at least two of them are timed: two samples are at most 127 reads apart.
constexpr std::size_t kBusyConnections = 256;
constexpr double kForEver = 1e9;

double seconds_of(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// What the daemon has measured so far, in seconds.
struct Delays {
  std::uint64_t count = 0;
  double sum_s = 0;
  std::vector<std::uint64_t> ranges;  // Number of delays by range.
  std::vector<double> ends_s;         // Upper bounds of the ranges.

  [[nodiscard]] Delays since(const Delays& before) const {
    Delays result = *this;
    result.count -= before.count;
    result.sum_s -= before.sum_s;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      result.ranges[i] -= before.ranges.at(i);
    }
    return result;
  }
  // Number of delays in ranges that begin at `least_s` or above.
  [[nodiscard]] std::uint64_t above(double least_s) const {
    std::uint64_t number = 0;
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      number += ends_s[i - 1] >= least_s ? ranges[i] : 0;
    }
    return number;
  }
  // Number of delays in ranges that end at `most_s` or below.
  [[nodiscard]] std::uint64_t below(double most_s) const {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      number += ends_s[i] <= most_s ? ranges[i] : 0;
    }
    return number;
  }
};

class ServerDelayTest : public DaemonTest {
 protected:
  void serve(const std::string& config = "") {
    start("workers = 1\n[admin]\nsocket = \"" + admin_path() + "\"\n" + config);
    // The kernel begins to note times soon after the first socket asks for them.
    TcpPeer peer = connect();
    wait_until("a first delay", [&] { return peer.echoes("hello") && delays().count > 0; });
  }

  [[nodiscard]] std::string admin_path() const { return directory_.file("admin.sock"); }
  [[nodiscard]] Delays delays() const {
    const AdminAnswer answer = AdminClient(admin_path()).get("/status");
    EXPECT_EQ(answer.status, 200);
    const auto measured = nlohmann::json::parse(answer.body).at("server_delay");
    Delays delays;
    delays.count = measured.at("count");
    delays.sum_s = measured.at("sum_s");
    for (const auto& range : measured.at("ranges")) {
      delays.ranges.push_back(range.at("count"));
      delays.ends_s.push_back(range.at("le_s").is_null() ? kForEver
                                                         : range.at("le_s").get<double>());
    }
    return delays;
  }

  void connect_all(const PeerOptions& options = {}) {
    for (std::size_t i = 0; i < kBusyConnections; ++i) {
      peers_.push_back(connect(options));
      ASSERT_TRUE(peers_.back().echoes("hello"));
    }
  }
  // Sends a message on each connection, and waits until all are in the daemon's receive queues.
  // Returns when each was sent.
  std::vector<Clock::time_point> send_all(const std::string& message) {
    std::vector<Clock::time_point> times;
    for (TcpPeer& peer : peers_) {
      times.push_back(Clock::now());
      peer.send_all(message);
    }
    for (const TcpPeer& peer : peers_) {
      wait_until("the receive queue", [&] { return peer.unacknowledged() == 0; });
    }
    return times;
  }
  // Receives so many bytes on each connection. Returns the longest time since they were sent.
  double receive_all(std::size_t bytes, const std::vector<Clock::time_point>& sent) {
    double longest_s = 0;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      EXPECT_EQ(peers_[i].receive_exactly(bytes).size(), bytes);
      longest_s = std::max(longest_s, seconds_of(Clock::now() - sent[i]));
    }
    return longest_s;
  }

  void TearDown() override {
    peers_.clear();
    DaemonTest::TearDown();
  }

  TemporaryDirectory directory_;
  std::vector<TcpPeer> peers_;
};

TEST_F(ServerDelayTest, OneEchoInSixtyFourIsMeasuredAndNoneTakesLongerThanItsRoundTrip) {
  constexpr int kEchoes = 6400;
  serve();
  TcpPeer peer = connect();
  const Delays before = delays();
  double longest_s = 0;
  for (int i = 0; i < kEchoes; ++i) {
    const Clock::time_point sent = Clock::now();
    ASSERT_TRUE(peer.echoes("ping"));
    longest_s = std::max(longest_s, seconds_of(Clock::now() - sent));
  }
  const Delays measured = delays().since(before);
  EXPECT_GE(measured.count, kEchoes / 64 / 2);
  EXPECT_LE(measured.count, kEchoes / 64 * 2);
  EXPECT_EQ(measured.above(longest_s), 0U) << "the longest round trip took " << longest_s << " s";
  EXPECT_GT(measured.sum_s, 0);
  peer.close();
}

TEST_F(ServerDelayTest, WhileTheDaemonIsStoppedBytesWaitInTheKernelAndThatCounts) {
  serve();
  connect_all();
  const Delays before = delays();
  daemon().freeze();
  const auto sent = send_all("ping");
  const Clock::time_point arrived = Clock::now();
  std::this_thread::sleep_for(milliseconds(300));
  const double shortest_s = seconds_of(Clock::now() - arrived);
  daemon().thaw();
  const double longest_s = receive_all(4, sent);
  const Delays measured = delays().since(before);
  const auto count = static_cast<double>(measured.count);
  EXPECT_GE(measured.count, 2U);
  EXPECT_EQ(measured.below(shortest_s), 0U);
  EXPECT_EQ(measured.above(longest_s), 0U);
  EXPECT_GE(measured.sum_s, count * shortest_s);
  EXPECT_LE(measured.sum_s, count * longest_s);
}

TEST_F(ServerDelayTest, OfTwoSegmentsTheNewerOneCounts) {
  serve();
  connect_all();
  const Delays before = delays();
  daemon().freeze();
  (void)send_all("older");
  std::this_thread::sleep_for(milliseconds(500));
  const auto sent = send_all("newer");
  daemon().thaw();
  const double longest_s = receive_all(10, sent);
  const Delays measured = delays().since(before);
  EXPECT_GE(measured.count, 2U);
  EXPECT_EQ(measured.above(longest_s), 0U);
  EXPECT_LE(measured.sum_s, static_cast<double>(measured.count) * longest_s)
      << "or the older one counts, unless the daemon was slower than 0.5 s";
}

// On all connections a reply is blocked, and some bytes wait in the daemon's receive queue until
// the client reads, two seconds later.
TEST_F(ServerDelayTest, WaitingForAPeerThatDoesNotReadDoesNotCount) {
  serve("[socket]\nsend_buffer_kib = 16\nreceive_buffer_kib = 64\n");
  connect_all({.receive_buffer_bytes = 8192});
  const std::string chunk(2048, 'x');
  std::size_t sent = 0;
  wait_until("blocked replies", [&] {
    (void)send_all(chunk);
    sent += chunk.size();
    return daemon().counter("flips_to_write") >= kBusyConnections;
  });
  (void)send_all(chunk);
  sent += chunk.size();
  std::this_thread::sleep_for(milliseconds(2000));
  const Delays before = delays();
  const double longest_s =
      receive_all(sent, std::vector<Clock::time_point>(kBusyConnections, Clock::now()));
  const Delays measured = delays().since(before);
  EXPECT_EQ(measured.above(longest_s), 0U) << "all was read within " << longest_s << " s";
  EXPECT_LE(measured.sum_s, static_cast<double>(measured.count) * longest_s);
}

TEST_F(ServerDelayTest, ConnectionsOfAPassedListenerAreMeasuredToo) {
  const PassedListener passed;
  start(DaemonOptions{
      .config = "workers = 1\n[admin]\nsocket = \"" + admin_path() + "\"\n" + passed.config(),
      .passes = {passed.fd()}});
  TcpPeer peer("127.0.0.1", passed.port());
  wait_until("a delay", [&] { return peer.echoes("hello") && delays().count > 0; });
  peer.close();
}

}  // namespace
}  // namespace echod::test
