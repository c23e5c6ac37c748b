#include "client/sys/datagram_probe.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "datagram_server.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;

// Longer than a test may take.
constexpr std::chrono::hours kLong{24};

sys::Route route_to(const std::string& host, std::uint16_t port) {
  return {.server = *SocketAddress::parse(host, port), .source = std::nullopt};
}

TEST(DatagramProbeTest, AServerThatAnswersIsFound) {
  const DatagramServer server;
  const std::vector<sys::Route> routes{route_to("127.0.0.1", server.port())};
  EXPECT_EQ(sys::probe_datagrams(routes, kLong).winner, 0U);
}

// With a pause of 250 ms after each of them, the test would take longer than it may. While no
// address is silent, there is no reason for a pause.
TEST(DatagramProbeTest, AddressesThatRefuseArePassedOverAtOnce) {
  constexpr std::size_t kRefusing = 4000;
  const DatagramServer deaf({.fault = DatagramFault::loses});
  const DatagramServer server;
  std::vector<sys::Route> routes{route_to("127.0.0.1", deaf.port())};
  routes.insert(routes.end(), kRefusing, route_to("127.0.0.2", server.port()));
  routes.push_back(route_to("127.0.0.1", server.port()));
  const sys::RaceResult result = sys::probe_datagrams(routes, kLong);
  EXPECT_EQ(result.winner, kRefusing + 1);
  std::vector<int> expected{0};
  expected.insert(expected.end(), kRefusing, ECONNREFUSED);
  expected.push_back(0);
  EXPECT_EQ(result.errors, expected);
}

TEST(DatagramProbeTest, ALostDatagramIsRepeated) {
  const DatagramServer server({.fault = DatagramFault::loses, .until = 2});
  const std::vector<sys::Route> routes{route_to("127.0.0.1", server.port())};
  EXPECT_EQ(sys::probe_datagrams(routes, kLong).winner, 0U);
  EXPECT_GE(server.received(), 3U);
}

TEST(DatagramProbeTest, TheNextAddressDoesNotWaitForASilentOne) {
  const DatagramServer deaf({.fault = DatagramFault::loses});
  const DatagramServer server;
  const std::vector<sys::Route> routes{route_to("127.0.0.1", deaf.port()),
                                       route_to("127.0.0.1", server.port())};
  EXPECT_EQ(sys::probe_datagrams(routes, kLong).winner, 1U);
}

TEST(DatagramProbeTest, SilenceIsATimeout) {
  const DatagramServer deaf({.fault = DatagramFault::loses});
  const std::vector<sys::Route> routes{route_to("127.0.0.1", deaf.port())};
  const sys::RaceResult result = sys::probe_datagrams(routes, milliseconds(300));
  EXPECT_FALSE(result.winner);
  EXPECT_EQ(result.errors, std::vector<int>{ETIMEDOUT});
}

TEST(DatagramProbeTest, AnAnswerFromAnotherPortShowsThatAServerIsThere) {
  const DatagramServer server({.fault = DatagramFault::answers_from_another_port});
  const std::vector<sys::Route> routes{route_to("127.0.0.1", server.port())};
  EXPECT_EQ(sys::probe_datagrams(routes, kLong).winner, 0U);
}

}  // namespace
}  // namespace echod::test
