// A ping waits for at most one turn of each other connection. This does not depend on when it
// arrives, how many connections are ready, or how much they have to read.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "world.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kFloods = 8;
constexpr std::size_t kTurnBytes = 128;
constexpr std::size_t kPingBytes = 64;

enum class Flood : std::uint8_t {
  always_has_more,  // Each turn ends at its budget.
  has_new_data,     // Each turn reads to EAGAIN, and new bytes arrive at once.
};

// A burst of newly ready connections, and then a ping.
struct Moment {
  std::size_t burst;     // Calls of the daemon after the start of a pass.
  std::size_t ping;      // Calls after the burst.
  std::size_t rest = 3;  // Passes since the last ping was echoed.
};

struct Waited {
  Moment moment{};
  std::uint64_t turns = 0;     // The most turns of another connection before the echo.
  std::size_t connection = 0;  // That connection.
};

// The numbers of connections: floods, then the crowd, then the one that pings.
class Crowd final : public Outside {
 public:
  Crowd(Flood flood, std::size_t crowd, std::vector<Moment> moments)
      : flood_(flood), crowd_(crowd), moments_(std::move(moments)) {
    world_.kernel().set_most_calls(UINT32_MAX);
  }

  const std::vector<Waited>& run() {
    world_.run();
    EXPECT_EQ(world_.kernel().violation(), "");
    return waited_;
  }

  // Sends a second ping in the pass that echoed the first.
  void ping_again_at_once() noexcept { is_impatient_ = true; }

 private:
  [[nodiscard]] static WorldSettings settings(std::size_t connections) {
    return {.connections = connections,
            .socket = {.receive_bytes = 2 * kTurnBytes, .send_bytes = 2 * kTurnBytes},
            .block_bytes = kTurnBytes,
            .blocks = kFloods,
            .turn_bytes = kTurnBytes,
            .turn_reads = 4};
  }
  [[nodiscard]] std::size_t pinging() const noexcept { return kFloods + crowd_; }

  void on_call(Call call) noexcept override {
    move_floods();
    if (is_waiting_ && is_echoed()) {
      note_echo();
    }
    if (call == Call::wait) {
      on_pass();
    }
    if (moment_ != moments_.size() && has_begun_) {
      const Moment& now = moments_[moment_];
      if (calls_ == now.burst) {
        send_burst();
      }
      if (calls_ == now.burst + now.ping) {
        ping();
      }
      ++calls_;
    }
  }
  bool on_block() noexcept override {
    world_.kernel().violate("the floods have stopped");
    return false;
  }

  void on_pass() noexcept {
    if (is_waiting_ || has_begun_) {
      return;
    }
    if (moment_ == moments_.size()) {
      world_.kernel().stop();
    } else if (++passes_ > moments_[moment_].rest) {
      has_begun_ = true;
      calls_ = 0;
    }
  }

  void move_floods() noexcept {
    SimulatedKernel& kernel = world_.kernel();
    for (std::size_t i = 0; i < kFloods; ++i) {
      take_all(i);
      if (flood_ == Flood::has_new_data && kernel.socket(i).unread() + 1 < kTurnBytes) {
        kernel.act(Act::send, i);
      }
      while (flood_ == Flood::always_has_more && kernel.can(Act::send, i)) {
        kernel.act(Act::send, i);
      }
    }
  }
  void take_all(std::size_t connection) noexcept {
    while (world_.kernel().can(Act::take, connection)) {
      world_.kernel().act(Act::take, connection);
    }
  }
  void send_burst() noexcept {
    for (std::size_t i = 0; i < crowd_; ++i) {
      take_all(kFloods + i);
      world_.kernel().act(Act::send, kFloods + i);
    }
  }

  void ping() noexcept {
    SimulatedKernel& kernel = world_.kernel();
    take_all(pinging());
    for (std::size_t i = 0; i < kPingBytes; ++i) {
      kernel.act(Act::send, pinging());
    }
    before_.clear();
    for (std::size_t i = 0; i < pinging(); ++i) {  // A turn that goes on counts as well.
      before_.push_back(kernel.turns(i) - (kernel.is_in_turn(i) ? 1 : 0));
    }
    is_waiting_ = true;
  }
  [[nodiscard]] bool is_echoed() noexcept {
    const SimulatedSocket& socket = world_.kernel().socket(pinging());
    return socket.written() == socket.sent();
  }
  void note_echo() noexcept {
    is_waiting_ = false;
    Waited waited{.moment = moments_[moment_]};
    for (std::size_t i = 0; i < before_.size(); ++i) {
      const std::uint64_t turns = world_.kernel().turns(i) - before_[i];
      if (turns > waited.turns) {
        waited.turns = turns;
        waited.connection = i;
      }
    }
    waited_.push_back(waited);
    if (is_impatient_ && !std::exchange(is_second_, !is_second_)) {
      ping();
      return;
    }
    ++moment_;
    has_begun_ = false;
    passes_ = 0;
  }

  Flood flood_;
  std::size_t crowd_;
  std::vector<Moment> moments_;
  bool is_impatient_ = false;
  World world_{*this, settings(kFloods + crowd_ + 1)};

  std::size_t moment_ = 0;  // The next, or the present one.
  std::size_t passes_ = 0;  // Since the last ping was echoed.
  bool has_begun_ = false;
  std::size_t calls_ = 0;  // Since it began.
  bool is_waiting_ = false;
  bool is_second_ = false;
  std::vector<std::uint64_t> before_;  // Turns of each other connection when the ping came.
  std::vector<Waited> waited_;
};

// The first of all calls of a pass, and some of the following, which are two for each connection.
std::vector<Moment> moments(std::size_t connections) {
  constexpr std::size_t kEach = 4 * kFloods;
  constexpr std::size_t kSome = 40;
  const std::size_t calls = 2 * connections + kEach;
  std::vector<Moment> all;
  for (std::size_t ping = 0; ping < calls; ping += ping < kEach ? 1 : calls / kSome) {
    all.push_back({.burst = all.size() % (2 * kFloods), .ping = ping});
  }
  return all;
}

void expect_one_turn_each(const std::vector<Waited>& all, std::size_t pings) {
  EXPECT_EQ(all.size(), pings);
  for (const Waited& waited : all) {
    EXPECT_LE(waited.turns, 1U) << "of connection " << waited.connection << ", when the ping came "
                                << waited.moment.ping << " calls after a burst that came "
                                << waited.moment.burst << " calls after the start of a pass, "
                                << waited.moment.rest << " passes after the last echo";
  }
}

class TurnOrderTest : public testing::TestWithParam<Flood> {};

TEST_P(TurnOrderTest, APingWaitsForAtMostOneTurnOfEachOtherConnection) {
  constexpr std::size_t kCrowd = 5000;
  const auto all = moments(kCrowd);
  expect_one_turn_each(Crowd(GetParam(), kCrowd, all).run(), all.size());
}

TEST_P(TurnOrderTest, APingRightAfterAnEchoWaitsForAtMostOneTurnOfEachOtherConnection) {
  constexpr std::size_t kCrowd = 20;
  const auto all = moments(kCrowd);
  Crowd crowd(GetParam(), kCrowd, all);
  crowd.ping_again_at_once();
  expect_one_turn_each(crowd.run(), 2 * all.size());
}

// A wrapped counter of passes would look like a turn in the last pass.
TEST_P(TurnOrderTest, APingAfterAnyNumberOfPassesWaitsForAtMostOneTurnOfEachOtherConnection) {
  std::vector<Moment> all;
  for (const std::size_t rest : {0U, 1U, 2U, 253U, 254U, 255U, 256U}) {
    all.push_back({.burst = 0, .ping = 1, .rest = rest});
  }
  expect_one_turn_each(Crowd(GetParam(), 1, all).run(), all.size());
}

INSTANTIATE_TEST_SUITE_P(Floods, TurnOrderTest,
                         testing::Values(Flood::always_has_more, Flood::has_new_data),
                         [](const auto& one) {
                           return one.param == Flood::always_has_more ? "AlwaysHaveMore"
                                                                      : "HaveNewData";
                         });

}  // namespace
}  // namespace echod::test
