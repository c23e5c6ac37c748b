// Parked workers that are written into a file, and go on afterwards because no program took over.
#include "service/state_file.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "echo/parked_connection.hpp"
#include "service/restored_workers.hpp"
#include "sys/memory_file.hpp"
#include "tcp_peer.hpp"
#include "upgrade/state_reader.hpp"
#include "upgrade_states.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

class StateFileTest : public WorkersFixture {
 protected:
  void serve(std::size_t count) {
    workers_ = make(count);
    start(*workers_);
  }
  // The state of a service with these workers and no listener.
  ServiceState service() {
    ServiceState state;
    state.workers = states_of(*workers_);
    return state;
  }
  // Every value is set. No connection has one of its descriptors.
  static ServiceState full_service() {
    constexpr int kUnused = 100000;
    ServiceState state = service_of_version_1();
    for (ListenerState& listener : state.listeners) {
      listener.fd += kUnused;
      listener.lock_fd += listener.lock_fd >= 0 ? kUnused : 0;
    }
    state.admin.unix_fd += kUnused;
    state.admin.unix_lock_fd += kUnused;
    state.admin.tcp_fd += kUnused;
    return state;
  }
  // The parked connections, with copies of what they owe.
  std::vector<ParkedConnection> parked() {
    std::vector<ParkedConnection> connections;
    visit_parked(*workers_, [&](const ParkedConnection& connection) {
      ParkedConnection& kept = connections.emplace_back(connection);
      const auto* const bytes = reinterpret_cast<const char*>(connection.owed.data());
      kept.owed =
          std::as_bytes(std::span(owed_.emplace_back(bytes, bytes + connection.owed.size())));
    });
    return connections;
  }
  static std::uint64_t owed_by(const std::vector<ParkedConnection>& connections) {
    return std::accumulate(connections.begin(), connections.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const ParkedConnection& connection) {
                             return sum + connection.owed.size();
                           });
  }

  std::unique_ptr<Workers> workers_;
};

TEST_F(StateFileTest, HasTheServiceAndEveryConnection) {
  serve(2);
  std::vector<TcpPeer> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back().echoes("hello"));
  }
  std::vector<TcpPeer> readers = late_readers(*workers_, 3);
  park(*workers_);
  UpgradeState wanted{.service = full_service(), .connections = parked()};
  wanted.service.connections = 8;
  ASSERT_EQ(wanted.connections.size(), 8U);
  ASSERT_GT(owed_by(wanted.connections), 0U);
  {
    const echod::StateFile file(full_service(), *workers_);
    const sys::MemoryMap map(file.fd());
    expect_equal(read_state(map.bytes()), wanted);
  }
  workers_->unpark();
  expect_all_bytes(readers);
  for (TcpPeer& client : clients) {
    EXPECT_TRUE(client.echoes("again"));
  }
}

TEST_F(StateFileTest, NamesEveryDescriptorThatTheNextProgramNeeds) {
  serve(1);
  TcpPeer client = connect();
  ASSERT_TRUE(client.echoes("hello"));
  park(*workers_);
  const echod::StateFile file(full_service(), *workers_);
  std::vector<int> wanted = descriptors_of(full_service());
  EXPECT_EQ(wanted.size(), 8U);
  wanted.push_back(parked().front().fd);
  wanted.push_back(file.fd());
  std::vector<int> got = file.descriptors();
  std::sort(wanted.begin(), wanted.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, wanted);
}

TEST_F(StateFileTest, LeavesOutDescriptorsThatThereAreNot) {
  EXPECT_EQ(descriptors_of({}), std::vector<int>{});
  ServiceState state;
  state.admin.tcp_fd = 4;
  EXPECT_EQ(descriptors_of(state), std::vector<int>{4});
  std::vector<int> descriptors{1};
  ParkedConnection connection;
  connection.fd = 5;
  append_descriptors_of(connection, descriptors);
  connection.pipe_read_end = 6;
  connection.pipe_write_end = 7;
  append_descriptors_of(connection, descriptors);
  EXPECT_EQ(descriptors, (std::vector<int>{1, 5, 5, 6, 7}));
}

// Its mapping must not be cut off from below a program that reads it.
TEST_F(StateFileTest, KeepsItsLength) {
  serve(1);
  park(*workers_);
  const echod::StateFile file(service(), *workers_);
  EXPECT_NE(ftruncate(file.fd(), 0), 0);
  EXPECT_NE(ftruncate(file.fd(), std::int64_t{1} << 20), 0);
}

// Bytes of the memory that are in RAM.
std::uint64_t resident_bytes(const std::vector<std::span<std::byte>>& memory) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  std::uint64_t resident = 0;
  for (const std::span<std::byte> span : memory) {
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(span.data()) / page * page;
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(span.data()) + span.size();
    std::vector<unsigned char> pages((end - begin + page - 1) / page);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the beginning of a page.
    EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), end - begin, pages.data()), 0);
    for (const unsigned char flags : pages) {
      resident += (flags & 1U) != 0 ? page : 0;
    }
  }
  return resident;
}

std::uint64_t bytes_in_file(int fd) {
  constexpr std::uint64_t kBlock = 512;
  struct stat status {};
  EXPECT_EQ(fstat(fd, &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * kBlock;
}

TEST_F(StateFileTest, OwedBytesAreNotInMemoryTwice) {
  constexpr std::size_t kReaders = 300;
  constexpr std::uint64_t kMostOverhead = std::uint64_t{6} << 20U;  // Parts of pages, and records.
  serve(1);
  std::vector<TcpPeer> readers = late_readers(*workers_, kReaders);
  wait_until("enough bytes to be owed", [this] {
    return count_of(*workers_, Counter::bytes_received) >
           count_of(*workers_, Counter::bytes_sent) + 2 * kMostOverhead;
  });
  park(*workers_);
  std::vector<std::span<std::byte>> memory;
  std::uint64_t owed = 0;
  visit_parked(*workers_, [&](const ParkedConnection& connection) {
    EXPECT_EQ(connection.own_memory.size(), connection.owed.size());
    memory.push_back(connection.own_memory);
    owed += connection.owed.size();
  });
  ASSERT_GT(owed, 2 * kMostOverhead);
  EXPECT_GE(resident_bytes(memory), owed);
  {
    const echod::StateFile file(service(), *workers_);
    EXPECT_GE(bytes_in_file(file.fd()), owed);
    EXPECT_LT(bytes_in_file(file.fd()) + resident_bytes(memory), owed + kMostOverhead);
  }
  EXPECT_GE(resident_bytes(memory), owed);
  workers_->unpark();
  expect_all_bytes(readers);
}

TEST_F(StateFileTest, BytesThatAnEarlierProgramLeftAreWrittenAgain) {
  serve(1);
  std::vector<TcpPeer> readers = late_readers(*workers_, 2);
  park(*workers_);
  const UpgradeState state{.service = service(), .connections = copies_of(*workers_)};
  workers_ = make(1);
  restore_workers(*workers_, state, ListenerNumbers{}, nullptr);
  start(*workers_);
  wait_until("the next worker", [this] { return workers_->are_serving(); });
  park(*workers_);
  const std::vector<ParkedConnection> wanted = parked();
  {
    const echod::StateFile file(service(), *workers_);
    const sys::MemoryMap map(file.fd());
    const UpgradeState got = read_state(map.bytes());
    ASSERT_EQ(got.connections.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      expect_equal(got.connections[i], wanted[i]);
    }
  }
  workers_->unpark();
  expect_all_bytes(readers);
}

TEST_F(StateFileTest, AStateThatCouldNotBeReadIsNoticedAndNothingIsLost) {
  serve(1);
  std::vector<TcpPeer> readers = late_readers(*workers_, 2);
  park(*workers_);
  EXPECT_THROW(echod::StateFile(ServiceState{}, *workers_), StateError);
  workers_->unpark();
  expect_all_bytes(readers);
}

}  // namespace
}  // namespace echod::test
