#include "echo/connection_table.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

#include "all_connections.hpp"
#include "allocations.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kPerChunk = 64;

class ConnectionTableTest : public testing::Test {
 protected:
  // A connection without a descriptor: what the table does needs none.
  Connection& create() {
    EXPECT_TRUE(table_.reserve());
    shared_.admission.take_slot();
    shared_.admission.count_connection(context_.admission.worker);
    return table_.create(context_, 0, sys::UniqueFd(), SocketAddress());
  }
  // Ends it as the end of a connection does.
  static void end(Connection& connection) { connection.abort(CloseReason::forced); }
  [[nodiscard]] std::set<Connection*> visited() {
    std::set<Connection*> all;
    visit_all(table_, [&all](Connection& connection) { all.insert(&connection); });
    return all;
  }

  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("none");
  EventLoop loop_;
  SharedState shared_{EchoSettings{}, 1};
  EchoContext context_{loop_,
                       EchoSettings{},
                       logger_,
                       shared_.line_limits,
                       shared_.pinned_rounds,
                       {shared_.admission, 0}};
  ConnectionTable& table_ = context_.table;
};

TEST_F(ConnectionTableTest, GivesEachConnectionAPlaceOfItsOwnThatNeverMoves) {
  std::vector<Connection*> created;
  for (std::size_t i = 0; i < 3 * kPerChunk; ++i) {
    created.push_back(&create());
    EXPECT_EQ(created.back()->table_index(), i);
  }
  EXPECT_EQ(table_.size(), 3 * kPerChunk);
  EXPECT_EQ(visited(), std::set<Connection*>(created.begin(), created.end()));
}

TEST_F(ConnectionTableTest, AConnectionThatEndsIsThereUntilTheIterationIsOver) {
  Connection& connection = create();
  end(connection);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_EQ(visited().size(), 1U);
  table_.destroy_retired();
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_TRUE(visited().empty());
}

TEST_F(ConnectionTableTest, PlacesAreUsedAgainWithoutAnAllocation) {
  for (std::size_t i = 0; i < kPerChunk; ++i) {
    create();
  }
  Connection& leaving = create();
  const std::uint32_t place = leaving.table_index();
  end(leaving);
  table_.destroy_retired();
  const std::uint64_t before = allocations();
  EXPECT_EQ(create().table_index(), place);
  EXPECT_EQ(allocations(), before);
}

TEST_F(ConnectionTableTest, APlaceInAChunkThatWasFullIsFoundAgain) {
  std::vector<Connection*> created;
  for (std::size_t i = 0; i < 2 * kPerChunk; ++i) {
    created.push_back(&create());
  }
  end(*created[10]);
  end(*created[70]);
  table_.destroy_retired();
  const std::set<std::uint32_t> places{create().table_index(), create().table_index()};
  EXPECT_EQ(places, (std::set<std::uint32_t>{10, 70}));
}

TEST_F(ConnectionTableTest, WithoutMemoryThereIsNoRoomAndLaterThereIs) {
  {
    const AllocationFailure no_memory;
    EXPECT_FALSE(table_.reserve());
  }
  EXPECT_TRUE(table_.reserve());
  const AllocationFailure no_memory;
  EXPECT_TRUE(table_.reserve());  // There is room already.
}

TEST_F(ConnectionTableTest, AVisitInSharesSeesEverybodyOnce) {
  for (std::size_t i = 0; i < 2 * kPerChunk + 1; ++i) {
    create();
  }
  std::multiset<Connection*> seen;
  std::size_t chunk = 0;
  std::size_t visits = 0;
  do {
    chunk = table_.visit(chunk, 1, [&seen](Connection& connection) { seen.insert(&connection); });
    ++visits;
  } while (chunk != 0);
  EXPECT_EQ(visits, 3U);
  EXPECT_EQ(seen.size(), 2 * kPerChunk + 1);
  EXPECT_EQ(std::set<Connection*>(seen.begin(), seen.end()).size(), seen.size());
}

TEST_F(ConnectionTableTest, AVisitorMayEndConnections) {
  for (std::size_t i = 0; i < kPerChunk + 5; ++i) {
    create();
  }
  visit_all(table_, [](Connection& connection) { end(connection); });
  table_.destroy_retired();
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(ConnectionTableTest, SurvivesAnyOrderOfComingAndGoing) {
  std::mt19937_64 random(announce_seed());
  std::set<Connection*> alive;
  for (int step = 0; step < 20000; ++step) {
    const bool grows = alive.size() < 10 || (alive.size() < 500 && random() % 2 == 0);
    if (grows) {
      ASSERT_TRUE(alive.insert(&create()).second);
    } else {
      const auto leaving =
          std::next(alive.begin(), static_cast<std::ptrdiff_t>(random() % alive.size()));
      end(**leaving);
      alive.erase(leaving);
    }
    if (random() % 8 == 0) {
      table_.destroy_retired();
      ASSERT_EQ(table_.size(), alive.size());
    }
  }
  table_.destroy_retired();
  EXPECT_EQ(visited(), alive);
}

TEST_F(ConnectionTableTest, RoomIsReservedBeforeAConnectionIsCreated) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)table_.create(context_, 0, sys::UniqueFd(), SocketAddress()),
               "a slot is reserved");
}

}  // namespace
}  // namespace echod::test
