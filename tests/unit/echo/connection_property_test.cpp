// Random clients, networks and failures of calls, against what an echo owes whatever happens: the
// rules that simulated_kernel.cpp checks with each call and world.cpp when nothing is left to do.
// What breaks one is made smaller until nothing can be left out.
//
// ECHOD_PROPERTY_CASES=N tries N cases; ECHOD_TEST_SEED=N repeats those of a seed.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "happenings.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kMostConnections = 3;

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
      {1, an(Kind::abort, no_act, no_call, no_error)},
      {1, an(Kind::close, no_act, no_call, no_error)},
      {3, an(Kind::time, no_act, no_call, no_error)},
      {1, an(Kind::other_blocks, no_act, no_call, no_error)},
      {2, an(Kind::failure, no_act,
             rc::gen::element(Call::recv, Call::send, Call::splice_in, Call::splice_out),
             rc::gen::just(EINTR))},
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
                       rc::gen::set(&SocketLimits::full_pipes,
                                    rc::gen::inRange(std::size_t{0}, std::size_t{4})),
                       rc::gen::set(&SocketLimits::most_pipes,
                                    rc::gen::inRange(std::size_t{0}, std::size_t{4})),
                       rc::gen::set(&SocketLimits::is_local, rc::gen::arbitrary<bool>()))),
      rc::gen::set(&WorldSettings::block_bytes,
                   rc::gen::inRange(std::size_t{1}, std::size_t{kMostBytes})),
      rc::gen::set(&WorldSettings::blocks, rc::gen::inRange(std::size_t{0}, std::size_t{3})),
      rc::gen::set(&WorldSettings::turn_bytes,
                   rc::gen::inRange(std::size_t{1}, std::size_t{kMostBytes})),
      rc::gen::set(&WorldSettings::turn_reads, rc::gen::inRange(1U, 4U)),
      rc::gen::set(&WorldSettings::pipes, rc::gen::inRange(std::size_t{0}, std::size_t{3})),
      rc::gen::set(&WorldSettings::has_timeouts, rc::gen::arbitrary<bool>()));
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
