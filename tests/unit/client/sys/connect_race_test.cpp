// Races between loopback addresses with and without servers.
#include "client/sys/connect_race.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ConnectRaceTest : public testing::Test {
 protected:
  static sys::ListenSocket listener(const std::string& host, int backlog = 16) {
    return sys::open_listener(*SocketAddress::parse(host, 0), backlog, false, {});
  }
  // An address without a server.
  static SocketAddress refusing() { return listener("127.0.0.71").address; }
  static sys::Route to(const SocketAddress& server) {
    return {.server = server, .source = std::nullopt};
  }
  static bool has_client(const sys::ListenSocket& server) {
    return sys::accept(server.fd.get()).fd.is_open();
  }

  // A server that does not answer, because its accept queue is full.
  sys::ListenSocket stuck_ = listener("127.0.0.72", 0);
  sys::ConnectResult filler_ = sys::connect_within(stuck_.address, std::nullopt, seconds(60));
  sys::ListenSocket first_ = listener("127.0.0.73");
  sys::ListenSocket second_ = listener("127.0.0.74");
};

TEST_F(ConnectRaceTest, TheFirstToAnswerWinsAndTheNextIsNotTried) {
  const std::vector<sys::Route> routes{to(first_.address), to(second_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, seconds(60));
  EXPECT_EQ(result.winner, 0U);
  EXPECT_EQ(result.errors, (std::vector<int>{0, 0}));
  EXPECT_TRUE(has_client(first_));
  EXPECT_FALSE(has_client(second_));
}

TEST_F(ConnectRaceTest, AfterARefusalTheNextIsTried) {
  const std::vector<sys::Route> routes{to(refusing()), to(refusing()), to(second_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, seconds(60));
  EXPECT_EQ(result.winner, 2U);
  EXPECT_EQ(result.errors, (std::vector<int>{ECONNREFUSED, ECONNREFUSED, 0}));
}

// RFC 8305, section 5.
static_assert(sys::kAttemptDelay >= milliseconds(100) && sys::kAttemptDelay <= seconds(2));

TEST_F(ConnectRaceTest, ASilentAddressIsOvertakenBeforeItsTimeout) {
  const std::vector<sys::Route> routes{to(stuck_.address), to(second_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, seconds(20));
  EXPECT_EQ(result.winner, 1U);
  EXPECT_EQ(result.errors, (std::vector<int>{0, 0})) << "the first was undecided, not timed out";
}

TEST_F(ConnectRaceTest, IfAllFailEachHasItsReason) {
  const std::vector<sys::Route> routes{to(stuck_.address), to(refusing()), to(stuck_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, milliseconds(400));
  EXPECT_EQ(result.winner, std::nullopt);
  EXPECT_EQ(result.errors, (std::vector<int>{ETIMEDOUT, ECONNREFUSED, ETIMEDOUT}));
}

TEST_F(ConnectRaceTest, AForeignSourceAddressIsAReason) {
  const std::vector<sys::Route> routes{
      {.server = first_.address, .source = SocketAddress::parse("198.51.100.1", 0)},
      to(second_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, seconds(60));
  EXPECT_EQ(result.winner, 1U);
  EXPECT_EQ(result.errors, (std::vector<int>{EADDRNOTAVAIL, 0}));
}

TEST_F(ConnectRaceTest, AConnectionToItselfDoesNotWin) {
  const SocketAddress own = refusing();
  const std::vector<sys::Route> routes{{.server = own, .source = own}, to(second_.address)};
  const sys::RaceResult result = sys::connect_to_first(routes, seconds(60));
  EXPECT_EQ(result.winner, 1U);
  EXPECT_EQ(result.errors, (std::vector<int>{sys::kConnectedToItself, 0}));
}

}  // namespace
}  // namespace echod::test
