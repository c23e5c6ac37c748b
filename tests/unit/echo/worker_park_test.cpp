// Parked workers, and workers that go on with their connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "background.hpp"
#include "deadline.hpp"
#include "echo/workers.hpp"
#include "pattern.hpp"
#include "tcp_peer.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

class WorkerParkTest : public WorkersFixture {
 protected:
  using WorkersFixture::make;
  // Counts in `parked` how often a worker is parked.
  static std::unique_ptr<Workers> make(std::size_t count, std::atomic<int>& parked) {
    WorkerEvents events = no_events();
    events.on_parked = [&parked] { ++parked; };
    return make(count, events);
  }
};

TEST_F(WorkerParkTest, AParkedWorkerServesNobodyUntilItIsUnparked) {
  std::atomic<int> parked{0};
  const auto workers = make(2, parked);
  start(*workers);
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  park(*workers);
  EXPECT_EQ(parked.load(), 2);
  const std::uint64_t turns = workers->at(0).turns() + workers->at(1).turns();
  peer.send_all("meanwhile");
  TcpPeer second = connect();
  second.send_all("waits");
  workers->at(0).probe();
  workers->at(1).probe();
  EXPECT_FALSE(peer.has_news());
  EXPECT_EQ(workers->at(0).turns() + workers->at(1).turns(), turns);
  workers->unpark();
  EXPECT_EQ(peer.receive_exactly(9), "meanwhile");
  EXPECT_EQ(second.receive_exactly(5), "waits");
}

TEST_F(WorkerParkTest, CanBeParkedAgainAndEndedWhileParked) {
  const auto workers = make(1);
  start(*workers);
  TcpPeer peer = connect();
  for (int i = 0; i < 20; ++i) {
    park(*workers);
    workers->unpark();
    ASSERT_TRUE(peer.echoes("again"));
  }
  park(*workers);
}

TEST_F(WorkerParkTest, CanBeParkedAgainBeforeItHasSeenThatItIsUnparked) {
  std::atomic<int> parked{0};
  const auto workers = make(1, parked);
  start(*workers);
  TcpPeer peer = connect();
  constexpr int kTimes = 200;
  for (int i = 1; i <= kTimes; ++i) {
    park(*workers);
    EXPECT_EQ(parked.load(), i);
    workers->unpark();
  }
  EXPECT_TRUE(peer.echoes("hello"));
}

// A pass over many busy connections takes long.
TEST_F(WorkerParkTest, IsParkedAmidAPassAndThenServesTheOthers) {
  std::vector<TcpPeer> peers;
  const auto workers = make(1);
  start(*workers);
  for (int i = 0; i < 200; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("before"));
  }
  for (int round = 0; round < 10; ++round) {
    for (TcpPeer& peer : peers) {
      peer.send_all("amid a pass");
    }
    park(*workers);
    workers->unpark();
    for (TcpPeer& peer : peers) {
      ASSERT_EQ(peer.receive_exactly(11), "amid a pass");
    }
  }
}

TEST_F(WorkerParkTest, UnparkedBeforeItIsParkedGoesOn) {
  const auto workers = make(1);
  start(*workers);
  TcpPeer peer = connect();
  for (int i = 0; i < 200; ++i) {
    workers->park();
    workers->unpark();
  }
  EXPECT_TRUE(peer.echoes("hello"));
  EXPECT_FALSE(workers->are_parked());
}

TEST_F(WorkerParkTest, OtherWorkersGoOnWithItsConnections) {
  auto workers = make(1);
  start(*workers);
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("before"));
  }
  // A slow reader, to whom bytes are owed.
  constexpr std::size_t kBulk = std::size_t{8} << 20;
  TcpPeer slow = connect({.receive_buffer_bytes = 8192});
  const std::string bulk = Pattern(1).slice(0, kBulk);
  Background sender([&](const std::atomic<bool>& /*is_over*/) {
    slow.send_all(bulk);
    slow.half_close();
  });
  wait_until("a reply that does not fit",
             [&] { return count_of(*workers, Counter::flips_to_write) > 0; });
  park(*workers);
  peers.front().send_all("meanwhile");
  std::vector<ParkedConnection> connections = copies_of(*workers);
  ASSERT_EQ(connections.size(), 21U);
  EXPECT_TRUE(std::any_of(connections.begin(), connections.end(),
                          [](const auto& connection) { return !connection.owed.empty(); }));
  workers.reset();

  auto next = make(2);
  const auto middle = connections.begin() + 10;
  next->at(0).resume({.connections = {connections.begin(), middle}, .memory = nullptr});
  next->at(1).resume({.connections = {middle, connections.end()}, .memory = nullptr});
  start(*next);
  wait_until("both serve", [&] { return next->are_serving(); });
  EXPECT_EQ(next->connections_of(0) + next->connections_of(1), 21U);
  EXPECT_EQ(peers.front().receive_exactly(9), "meanwhile");
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("after"));
  }
  const Tail tail = slow.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(tail.bytes == bulk);
}

TEST_F(WorkerParkTest, AnAdoptedConnectionWithoutMemoryIsResetAndCounted) {
  const auto workers = make(1);
  std::vector<TcpPeer> peers;
  while (count_of(*workers, counter_of(CloseReason::io_error)) == 0) {
    ASSERT_LT(peers.size(), 10'000U);
    peers.push_back(connect());
    sys::Accepted accepted = sys::accept(socket_->fd.get());
    const AllocationFailure no_memory;  // A new worker has memory for some connections.
    workers->at(0).adopt(std::move(accepted), ListenerCounts::kRemoved);
  }
  EXPECT_EQ(count_of(*workers, Counter::accepted), peers.size());
  EXPECT_EQ(workers->connections_of(0), peers.size() - 1);
  const ListenerCounts& counts = workers->at(0).listener_counts();
  EXPECT_EQ(counts.total(ListenerCounts::kRemoved), peers.size());
  EXPECT_EQ(counts.open(ListenerCounts::kRemoved), peers.size() - 1);
  EXPECT_EQ(peers.back().receive_to_end().ending, Ending::reset);
}

TEST_F(WorkerParkTest, CountsGoOn) {
  const auto workers = make(1);
  WorkerTotals totals;
  totals.counters[static_cast<std::size_t>(Counter::echoes)] = 41;
  totals.server_delay.counts[3] = 2;
  totals.server_delay.sum = std::chrono::microseconds(80);
  totals.stale_events = 7;
  workers->at(0).restore(totals);
  workers->at(0).restore(5, 12);
  start(*workers);
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  EXPECT_TRUE(eventually([&] {  // An echo is counted after it was sent.
    return count_of(*workers, Counter::echoes) == 42;
  }));
  EXPECT_GE(workers->at(0).server_delay().counts[3], 2U);
  EXPECT_GE(workers->at(0).server_delay().sum, std::chrono::microseconds(80));
  EXPECT_EQ(workers->stale_events(), 7U);
  EXPECT_EQ(workers->at(0).listener_counts().total(5), 12U);
  EXPECT_EQ(workers->at(0).listener_counts().open(5), 0U);
}

TEST_F(WorkerParkTest, AConnectionThatTheServiceAcceptedIsServed) {
  const auto workers = make(1);
  TcpPeer peer = connect();
  sys::Accepted accepted;
  wait_until("a client in the queue", [&] {
    accepted = sys::accept(socket_->fd.get());
    return accepted.error == 0;
  });
  workers->at(0).adopt(std::move(accepted), ListenerCounts::kRemoved);
  workers->start();
  EXPECT_TRUE(peer.echoes("hello"));
  EXPECT_EQ(workers->at(0).listener_counts().open(ListenerCounts::kRemoved), 1U);
  EXPECT_EQ(workers->connections_of(0), 1U);
}

}  // namespace
}  // namespace echod::test
