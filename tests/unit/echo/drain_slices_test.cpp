// A drain and an abort of many connections: in slices, so that no turn is long and others have
// theirs in between.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "echo/connection_visit.hpp"
#include "world.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kConnections = 5000;
constexpr std::size_t kSlice = 256;  // Connections that one turn visits at most.

// Has a turn in every pass, as a busy connection has.
class Bystander final : public Channel {
 public:
  explicit Bystander(const SimulatedKernel& kernel) noexcept : kernel_(kernel) {}
  Turn on_turn(std::uint32_t /*events*/) noexcept override {
    ++turns_;
    return kernel_.is_stopped() ? Turn::wait : Turn::again;
  }
  [[nodiscard]] std::size_t turns() const noexcept { return turns_; }

 private:
  const SimulatedKernel& kernel_;
  std::size_t turns_ = 0;
};

// A turn of the loop in which calls were made.
struct BusyTurn {
  std::uint64_t turns = 0;       // EventLoop::turns() in it.
  std::size_t calls = 0;         // In all.
  std::size_t visits = 0;        // Calls that tell of a visit.
  std::size_t of_bystander = 0;  // Turns that the bystander had had.
};

class DrainSlicesTest : public testing::Test, private Outside {
 protected:
  DrainSlicesTest() { world_.kernel().set_most_calls(UINT32_MAX); }

  // Until all connections were visited. A visit makes one call of the kind `visiting`.
  void run(Call visiting) {
    visiting_ = visiting;
    world_.loop().enqueue(bystander_);
    world_.run();
    EXPECT_EQ(world_.kernel().violation(), "");
    EXPECT_EQ(visits_, kConnections);
  }

  void expect_slices() const {
    std::size_t slices = 0;
    const BusyTurn* last = nullptr;
    for (const BusyTurn& turn : turns_) {
      EXPECT_LE(turn.calls, kSlice);
      if (turn.visits == 0) {
        continue;
      }
      ++slices;
      if (last != nullptr) {
        EXPECT_GT(turn.turns, last->turns);
        EXPECT_GT(turn.of_bystander, last->of_bystander) << "nobody else had a turn in between";
      }
      last = &turn;
    }
    EXPECT_GE(slices, kConnections / kSlice);
  }

  World world_{*this, {.connections = kConnections}};
  Bystander bystander_{world_.kernel()};

 private:
  void on_call(Call call) noexcept override {
    if (call == Call::wait) {
      is_serving_ = true;
      if (visits_ == kConnections && ++passes_after_ == 3) {
        world_.kernel().stop();
      }
    } else if (is_serving_) {
      note(call);
    }
  }
  bool on_block() noexcept override { return false; }

  void note(Call call) noexcept {
    const std::uint64_t turns = world_.loop().turns();
    if (turns_.empty() || turns_.back().turns != turns) {
      turns_.push_back({.turns = turns, .of_bystander = bystander_.turns()});
    }
    ++turns_.back().calls;
    if (call == visiting_) {
      ++turns_.back().visits;
      ++visits_;
    }
  }

  Call visiting_ = Call::ioctl;
  bool is_serving_ = false;
  std::size_t visits_ = 0;
  std::size_t passes_after_ = 0;  // Since all were visited.
  std::vector<BusyTurn> turns_;
};

TEST_F(DrainSlicesTest, ADrainOfManyConnectionsGoesInSlices) {
  world_.drain();
  run(Call::ioctl);  // How much is to be sent back.
  expect_slices();
  for (std::size_t i = 0; i < kConnections; ++i) {
    ASSERT_TRUE(world_.kernel().socket(i).is_shut()) << i;
  }
}

TEST_F(DrainSlicesTest, AnAbortOfManyConnectionsGoesInSlices) {
  world_.kernel().allow_everything();  // An echo would not close them.
  int ends = 0;
  ConnectionVisit abort(
      world_.loop(), world_.context().table,
      [](Connection& connection) { connection.abort(CloseReason::forced); }, [&] { ++ends; });
  abort.start();
  run(Call::close);
  expect_slices();
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(world_.context().table.size(), 0U);
}

}  // namespace
}  // namespace echod::test
