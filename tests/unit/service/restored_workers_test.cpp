// Counts and connections of parked workers that other workers go on with.
#include "service/restored_workers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tcp_peer.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

ListenerNumbers unchanged_numbers() {
  ListenerNumbers numbers{};
  std::iota(numbers.begin(), numbers.end(), ListenerCounts::Listener{0});
  return numbers;
}

std::uint64_t closed_connections(const Workers& workers) {
  const auto counters = workers.counters();
  return std::accumulate(counters.begin() + static_cast<std::ptrdiff_t>(Counter::closed),
                         counters.end(), std::uint64_t{0});
}

std::uint64_t value_of(const WorkerState& state, const std::string& name) {
  const auto found = std::find_if(state.counters.begin(), state.counters.end(),
                                  [&name](const NamedCount& count) { return count.name == name; });
  return found == state.counters.end() ? 0 : found->value;
}

class RestoredWorkersTest : public WorkersFixture {
 protected:
  static constexpr std::size_t kClients = 12;

  RestoredWorkersTest() {
    old_ = make(2);
    start(*old_);
    for (std::size_t i = 0; i < kClients + 3; ++i) {
      clients_.push_back(connect());
      EXPECT_TRUE(clients_.back().echoes("before"));
    }
    clients_.erase(clients_.begin(), clients_.begin() + 3);
    wait_until("the end of three", [this] { return closed_connections(*old_) == 3; });
    park(*old_);
    counters_ = old_->counters();
    state_.service.workers = states_of(*old_);
    state_.connections = copies_of(*old_);
    old_.reset();
  }

  // Makes as many workers go on.
  std::unique_ptr<Workers> carried_to(std::size_t count,
                                      const ListenerNumbers& listeners = unchanged_numbers()) {
    auto workers = make(count);
    restore_workers(*workers, state_, listeners, nullptr);
    start(*workers);
    wait_until("all serve", [&] { return workers->are_serving(); });
    return workers;
  }
  void expect_clients_are_served() {
    for (TcpPeer& client : clients_) {
      EXPECT_TRUE(client.echoes("after"));
    }
  }
  static std::uint64_t open_connections(Workers& workers) {
    std::uint64_t open = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      open += workers.connections_of(i);
    }
    return open;
  }
  // Connections of the listener, of all workers.
  static std::uint64_t total_of(Workers& workers, ListenerCounts::Listener listener) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      total += workers.at(i).listener_counts().total(listener);
    }
    return total;
  }
  static std::uint64_t open_of(Workers& workers, ListenerCounts::Listener listener) {
    std::uint64_t open = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      open += workers.at(i).listener_counts().open(listener);
    }
    return open;
  }
  // The sums are those of the old workers, and agree with what is open.
  void expect_same_sums(Workers& workers) {
    EXPECT_EQ(workers.counters(), counters_);
    EXPECT_EQ(open_connections(workers), kClients);
    EXPECT_EQ(count_of(workers, Counter::accepted) - closed_connections(workers), kClients);
  }

  std::unique_ptr<Workers> old_;
  std::vector<TcpPeer> clients_;
  std::array<std::uint64_t, kCounters> counters_{};
  UpgradeState state_;
};

TEST_F(RestoredWorkersTest, TheStateHasEveryCountByName) {
  ASSERT_EQ(state_.service.workers.size(), 2U);
  for (const WorkerState& worker : state_.service.workers) {
    EXPECT_EQ(worker.counters.size(), kCounters + 1) << "the turns of the loop too";
    EXPECT_GT(value_of(worker, "turns"), 0U);
    EXPECT_EQ(worker.delay_bounds_ns.size() + 1, worker.delay_counts.size());
    EXPECT_EQ(worker.accepted_by_listener.size(), kMostListeners + 1);
  }
  for (const std::string name : {"accepted", "echoes", "bytes_received", "closed_peer_closed"}) {
    const std::uint64_t sum =
        value_of(state_.service.workers[0], name) + value_of(state_.service.workers[1], name);
    EXPECT_GT(sum, 0U) << name;
  }
}

TEST_F(RestoredWorkersTest, EachOfTheSameNumberGoesOnWithItsOwn) {
  std::vector<std::uint32_t> connections(2);
  for (const ParkedConnection& connection : state_.connections) {
    ++connections.at(connection.worker);
  }
  const auto workers = carried_to(2);
  expect_same_sums(*workers);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(workers->connections_of(i), connections[i]);
    EXPECT_EQ(workers->at(i).counters().get(Counter::accepted),
              value_of(state_.service.workers[i], "accepted"));
    EXPECT_EQ(workers->at(i).listener_counts().total(0),
              state_.service.workers[i].accepted_by_listener[0]);
    EXPECT_EQ(workers->at(i).listener_counts().open(0), connections[i]);
  }
  expect_clients_are_served();
}

TEST_F(RestoredWorkersTest, MoreWorkersShareTheConnections) {
  const auto workers = carried_to(4);
  expect_same_sums(*workers);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(workers->connections_of(i), kClients / 4);
  }
  EXPECT_EQ(total_of(*workers, 0), kClients + 3);
  EXPECT_EQ(open_of(*workers, 0), kClients);
  expect_clients_are_served();
}

TEST_F(RestoredWorkersTest, FewerWorkersHaveAllConnections) {
  const auto workers = carried_to(1);
  expect_same_sums(*workers);
  EXPECT_EQ(workers->connections_of(0), kClients);
  EXPECT_EQ(total_of(*workers, 0), kClients + 3);
  EXPECT_EQ(open_of(*workers, 0), kClients);
  expect_clients_are_served();
}

TEST_F(RestoredWorkersTest, SumsStayRightWhenConnectionsEnd) {
  const auto workers = carried_to(3);
  clients_.erase(clients_.begin(), clients_.begin() + 4);
  wait_until("the end of four", [&] {
    return closed_connections(*workers) == 7 && open_of(*workers, 0) == kClients - 4;
  });
  EXPECT_EQ(count_of(*workers, Counter::accepted), kClients + 3);
  EXPECT_EQ(total_of(*workers, 0), kClients + 3);
}

TEST_F(RestoredWorkersTest, ACounterThatIsNotKnownIsDropped) {
  state_.service.workers[0].counters.push_back({.name = "teapots", .value = 418});
  const auto workers = carried_to(2);
  expect_same_sums(*workers);
}

TEST_F(RestoredWorkersTest, ACounterThatTheStateDoesNotHaveBeginsAtZero) {
  for (WorkerState& worker : state_.service.workers) {
    std::erase_if(worker.counters, [](const NamedCount& count) { return count.name == "echoes"; });
  }
  const auto workers = carried_to(2);
  EXPECT_EQ(count_of(*workers, Counter::echoes), 0U);
  EXPECT_EQ(count_of(*workers, Counter::accepted), kClients + 3);
}

TEST_F(RestoredWorkersTest, AHistogramGoesOnOnlyWithTheSameBounds) {
  WorkerState& first = state_.service.workers[0];
  WorkerState& second = state_.service.workers[1];
  for (WorkerState* const worker : {&first, &second}) {
    worker->delay_counts[2] = 1000;
    worker->delay_sum_ns = 5'000'000'000;
  }
  ++second.delay_bounds_ns.back();
  const auto workers = carried_to(2);
  EXPECT_EQ(workers->at(0).server_delay().counts[2], 1000U);
  EXPECT_EQ(workers->at(0).server_delay().sum, std::chrono::seconds(5));
  EXPECT_EQ(workers->at(1).server_delay().counts[2], 0U);
  EXPECT_EQ(workers->at(1).server_delay().sum, std::chrono::seconds(0));
}

TEST_F(RestoredWorkersTest, AHistogramWithAnotherNumberOfRangesStartsAnew) {
  for (WorkerState& worker : state_.service.workers) {
    worker.delay_sum_ns = 5'000'000'000;
    worker.delay_counts.push_back(7);
  }
  state_.service.workers[1].delay_bounds_ns.push_back(UINT64_MAX);
  const auto workers = carried_to(2);
  EXPECT_EQ(workers->at(0).server_delay().sum, std::chrono::seconds(0));
  EXPECT_EQ(workers->at(1).server_delay().sum, std::chrono::seconds(0));
}

TEST_F(RestoredWorkersTest, StaleEventsOfAllWorkersAreAdded) {
  state_.service.workers[0].stale_events = 5;
  state_.service.workers[1].stale_events = 6;
  EXPECT_EQ(carried_to(1)->stale_events(), 11U);
}

TEST_F(RestoredWorkersTest, TurnsGoOn) {
  constexpr std::uint64_t kTurns = 1'000'000;
  for (NamedCount& count : state_.service.workers[1].counters) {
    count.value = count.name == "turns" ? kTurns : count.value;
  }
  const auto workers = carried_to(2);
  EXPECT_LT(workers->at(0).turns(), kTurns);
  EXPECT_GE(workers->at(1).turns(), kTurns);
}

TEST_F(RestoredWorkersTest, AListenerWithAnotherNumberTakesItsCountsAlong) {
  ListenerNumbers numbers{};
  numbers.fill(ListenerCounts::kRemoved);
  numbers[0] = 3;
  const auto workers = carried_to(2, numbers);
  EXPECT_EQ(total_of(*workers, 3), kClients + 3);
  EXPECT_EQ(open_of(*workers, 3), kClients);
  EXPECT_EQ(total_of(*workers, 0), 0U);
  expect_clients_are_served();
}

TEST_F(RestoredWorkersTest, ConnectionsOfARemovedListenerAreCountedAsSuch) {
  ListenerNumbers numbers{};
  numbers.fill(ListenerCounts::kRemoved);
  const auto workers = carried_to(1, numbers);
  EXPECT_EQ(total_of(*workers, ListenerCounts::kRemoved), kClients + 3);
  EXPECT_EQ(open_of(*workers, ListenerCounts::kRemoved), kClients);
  EXPECT_EQ(total_of(*workers, 0), 0U);
  expect_clients_are_served();
}

TEST_F(RestoredWorkersTest, EveryParkedConnectionIsVisitedOnce) {
  const auto workers = carried_to(2);
  park(*workers);
  std::vector<std::uint16_t> ports;
  visit_parked(*workers, [&ports](const ParkedConnection& connection) {
    ports.push_back(connection.peer.port());
  });
  std::vector<std::uint16_t> wanted;
  for (const TcpPeer& client : clients_) {
    wanted.push_back(client.local_port());
  }
  std::sort(ports.begin(), ports.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(ports, wanted);
}

}  // namespace
}  // namespace echod::test
