// Random clients, networks and failures of calls, against what an echo owes whatever happens: the
// rules that simulated_kernel.cpp checks with each call and world.cpp when nothing is left to do.
// What breaks one is made smaller until nothing can be left out.
//
// ECHOD_PROPERTY_CASES=N tries N cases; ECHOD_TEST_SEED=N repeats those of a seed.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "seed.hpp"
#include "world.hpp"

namespace echod::test {

// Something that happens, `pause` calls of the daemon after what happened before, or as soon as the
// daemon waits for something.
struct Happening {
  enum class Kind : std::uint8_t { act, drain, interruption, failure, short_write };

  unsigned pause = 0;
  Kind kind = Kind::act;
  std::size_t connection = 0;
  Act act = Act::send;
  unsigned times = 1;
  Call call = Call::recv;
  int error = 0;
};

std::ostream& operator<<(std::ostream& out, const Happening& happening) {
  using Kind = Happening::Kind;
  out << "after " << happening.pause << " calls: ";
  switch (happening.kind) {
    case Kind::act:
      return out << "client " << happening.connection << ' ' << name_of(happening.act) << ", "
                 << happening.times << " times";
    case Kind::drain:
      return out << "drain";
    case Kind::interruption:
      return out << "the next " << name_of(happening.call) << " on connection "
                 << happening.connection << " is interrupted";
    case Kind::failure:
      return out << "the next " << name_of(happening.call) << " on connection "
                 << happening.connection << " fails: " << strerrorname_np(happening.error);
    case Kind::short_write:
      return out << "the next " << name_of(happening.call) << " takes " << happening.times
                 << " bytes on connection " << happening.connection;
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const WorldSettings& settings) {
  return out << settings.connections << (settings.socket.is_local ? " UNIX" : " TCP")
             << " connections, queues of " << settings.socket.receive_bytes << " and "
             << settings.socket.send_bytes << " bytes, " << settings.blocks << " blocks of "
             << settings.block_bytes << " bytes, turns of " << settings.turn_bytes << " bytes or "
             << settings.turn_reads << " reads, " << settings.pipes << " pipes";
}

namespace {

constexpr std::size_t kMostConnections = 3;

class Happenings final : public Outside {
 public:
  explicit Happenings(const std::vector<Happening>& happenings) : happenings_(happenings) {}

  void in(World& world) { world_ = &world; }

  void on_call(Call /*call*/) noexcept override {
    while (next_ < happenings_.size() && calls_ >= happenings_[next_].pause) {
      happen();
    }
    ++calls_;
  }

  bool on_block() noexcept override {
    if (next_ < happenings_.size()) {
      happen();
      return true;
    }
    if (world_->let_end()) {
      return true;
    }
    world_->kernel().stop();
    return false;
  }

 private:
  void happen() {
    using Kind = Happening::Kind;
    const Happening& what = happenings_[next_++];
    calls_ = 0;
    SimulatedKernel& kernel = world_->kernel();
    const std::size_t connection = what.connection % kernel.connections();
    switch (what.kind) {
      case Kind::act:
        for (unsigned i = 0; i < what.times && kernel.can(what.act, connection); ++i) {
          kernel.act(what.act, connection);
        }
        break;
      case Kind::drain:
        if (!world_->was_told_to_drain()) {
          world_->drain();
        }
        break;
      case Kind::interruption:
        kernel.inject(connection, {.call = what.call, .error = EINTR});
        break;
      case Kind::failure:
        kernel.inject(connection, {.call = what.call, .error = what.error});
        break;
      case Kind::short_write:
        kernel.inject(connection, {.call = what.call, .most = what.times});
        break;
    }
  }

  const std::vector<Happening>& happenings_;
  World* world_ = nullptr;
  std::size_t next_ = 0;
  unsigned calls_ = 0;  // Since something happened last.
};

// How it ended: "", or what is violated and how it came to that.
std::string play(const WorldSettings& settings, const std::vector<Happening>& happenings,
                 bool keeps_trace) {
  Happenings outside(happenings);
  World world(outside, settings);
  outside.in(world);
  if (keeps_trace) {
    world.kernel().keep_trace();
  }
  world.run();
  std::string text = world.kernel().violation();
  for (const std::string& line : world.kernel().trace()) {
    text += "\n  " + line;
  }
  return text;
}

using Kind = Happening::Kind;

rc::Gen<Happening> an(Kind kind, rc::Gen<Act> act, rc::Gen<Call> call, rc::Gen<int> error) {
  constexpr unsigned kLongestPause = 12;
  constexpr unsigned kMostTimes = 9;
  return rc::gen::build<Happening>(
      rc::gen::set(&Happening::kind, rc::gen::just(kind)),
      rc::gen::set(&Happening::pause, rc::gen::inRange(0U, kLongestPause)),
      rc::gen::set(&Happening::connection, rc::gen::inRange(std::size_t{0}, kMostConnections)),
      rc::gen::set(&Happening::times, rc::gen::inRange(1U, kMostTimes)),
      rc::gen::set(&Happening::act, std::move(act)),
      rc::gen::set(&Happening::call, std::move(call)),
      rc::gen::set(&Happening::error, std::move(error)));
}

rc::Gen<Happening> a_happening() {
  const auto no_act = rc::gen::just(Act::send);
  const auto no_call = rc::gen::just(Call::recv);
  const auto no_error = rc::gen::just(0);
  return rc::gen::weightedOneOf<Happening>({
      {30, an(Kind::act,
              rc::gen::weightedElement<Act>({{12, Act::send},
                                             {10, Act::take},
                                             {2, Act::send_urgent},
                                             {2, Act::finish},
                                             {1, Act::reset}}),
              no_call, no_error)},
      {1, an(Kind::drain, no_act, no_call, no_error)},
      {2,
       an(Kind::interruption, no_act,
          rc::gen::element(Call::recv, Call::send, Call::splice_in, Call::splice_out), no_error)},
      {3, an(Kind::short_write, no_act, rc::gen::element(Call::send, Call::splice_out), no_error)},
      {1, an(Kind::failure, no_act, rc::gen::just(Call::splice_in), rc::gen::just(EINVAL))},
      {1, an(Kind::failure, no_act,
             rc::gen::element(Call::recv, Call::send, Call::shutdown, Call::splice_in,
                              Call::splice_out),
             rc::gen::element(ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, ENOTCONN, EPIPE))},
      {1, an(Kind::failure, no_act, rc::gen::element(Call::add, Call::modify),
             rc::gen::element(ENOMEM, ENOSPC))},
  });
}

rc::Gen<WorldSettings> settings() {
  constexpr std::uint32_t kMostBytes = 9;
  return rc::gen::build<WorldSettings>(
      rc::gen::set(&WorldSettings::connections,
                   rc::gen::inRange(std::size_t{1}, kMostConnections + 1)),
      rc::gen::set(&WorldSettings::socket,
                   rc::gen::build<SocketLimits>(
                       rc::gen::set(&SocketLimits::receive_bytes, rc::gen::inRange(1U, kMostBytes)),
                       rc::gen::set(&SocketLimits::send_bytes, rc::gen::inRange(1U, kMostBytes)),
                       rc::gen::set(&SocketLimits::pipe_slots,
                                    rc::gen::inRange(std::size_t{1}, std::size_t{5})),
                       rc::gen::set(&SocketLimits::is_local, rc::gen::arbitrary<bool>()))),
      rc::gen::set(&WorldSettings::block_bytes,
                   rc::gen::inRange(std::size_t{1}, std::size_t{kMostBytes})),
      rc::gen::set(&WorldSettings::blocks, rc::gen::inRange(std::size_t{0}, std::size_t{3})),
      rc::gen::set(&WorldSettings::turn_bytes,
                   rc::gen::inRange(std::size_t{1}, std::size_t{kMostBytes})),
      rc::gen::set(&WorldSettings::turn_reads, rc::gen::inRange(1U, 4U)),
      rc::gen::set(&WorldSettings::pipes, rc::gen::inRange(std::size_t{0}, std::size_t{3})));
}

TEST(ConnectionPropertyTest, WhateverHappensAnEchoGivesWhatItOwesAndKeepsNothing) {
  const char* const cases = std::getenv("ECHOD_PROPERTY_CASES");
  const std::string parameters = "seed=" + std::to_string(announce_seed()) +
                                 " max_success=" + (cases != nullptr ? cases : "8000");
  ASSERT_EQ(::setenv("RC_PARAMS", parameters.c_str(), 0), 0);  // Unless it is given.
  EXPECT_TRUE(rc::check("an echo gives what it owes and keeps nothing", [] {
    const auto world = *settings();
    const auto happenings = *rc::gen::container<std::vector<Happening>>(a_happening());
    if (!play(world, happenings, false).empty()) {
      RC_FAIL(play(world, happenings, true));
    }
  }));
}

}  // namespace
}  // namespace echod::test
