// Which datagrams are answered.
#include "echo/datagram_guard.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace echod {
namespace {

constexpr std::array<std::uint16_t, 2> kOwnPorts{2003, 40007};

sys::ReceivedDatagrams from(const char* host, std::uint16_t port) {
  sys::ReceivedDatagrams datagrams;
  datagrams.peer = SocketAddress::parse(host, port).value();
  datagrams.local = SocketAddress::parse("192.0.2.9", 0).value();
  datagrams.is_unicast = true;
  datagrams.is_whole = true;
  return datagrams;
}

DatagramVerdict verdict(const sys::ReceivedDatagrams& datagrams) {
  return verdict_on(datagrams, kOwnPorts);
}

TEST(DatagramGuardTest, AnswersTheHighPortsOfAHost) {
  for (const char* host :
       {"192.0.2.1", "127.0.0.1", "10.255.255.255", "2001:db8::1", "fe80::1%1"}) {
    EXPECT_EQ(verdict(from(host, 1024)), DatagramVerdict::echo) << host;
    EXPECT_EQ(verdict(from(host, 65535)), DatagramVerdict::echo) << host;
  }
}

TEST(DatagramGuardTest, RefusesPortZeroToWhichNothingCanBeSent) {
  EXPECT_EQ(verdict(from("192.0.2.1", 0)), DatagramVerdict::port_zero);
}

TEST(DatagramGuardTest, RefusesPortsOfServices) {
  for (const std::uint16_t port : std::to_array<std::uint16_t>({1, 7, 19, 53, 1023, 2049})) {
    EXPECT_EQ(verdict(from("192.0.2.1", port)), DatagramVerdict::service_port) << port;
  }
  EXPECT_EQ(verdict(from("192.0.2.1", 2048)), DatagramVerdict::echo);
  EXPECT_EQ(verdict(from("192.0.2.1", 2050)), DatagramVerdict::echo);
}

// The source may be another echod, or one that was named by whoever forged the datagram.
TEST(DatagramGuardTest, RefusesItsOwnPortsFromEveryAddress) {
  for (const std::uint16_t port : kOwnPorts) {
    EXPECT_EQ(verdict(from("192.0.2.1", port)), DatagramVerdict::own_port);
    EXPECT_EQ(verdict(from("::1", port)), DatagramVerdict::own_port);
  }
}

TEST(DatagramGuardTest, RefusesBroadcastAndMulticast) {
  sys::ReceivedDatagrams datagrams = from("192.0.2.1", 5555);
  datagrams.is_unicast = false;
  EXPECT_EQ(verdict(datagrams), DatagramVerdict::to_many);
}

TEST(DatagramGuardTest, RefusesSourceAddressesThatNoHostHas) {
  for (const char* host :
       {"0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.255", "::", "ff02::1"}) {
    EXPECT_EQ(verdict(from(host, 5555)), DatagramVerdict::source_address) << host;
  }
}

TEST(DatagramGuardTest, RefusesWhatDidNotFit) {
  sys::ReceivedDatagrams datagrams = from("192.0.2.1", 5555);
  datagrams.is_whole = false;
  EXPECT_EQ(verdict(datagrams), DatagramVerdict::incomplete);
}

TEST(DatagramGuardTest, EachReasonHasItsCounter) {
  std::set<Counter> counters;
  for (const DatagramVerdict verdict :
       {DatagramVerdict::incomplete, DatagramVerdict::port_zero, DatagramVerdict::service_port,
        DatagramVerdict::own_port, DatagramVerdict::to_many, DatagramVerdict::source_address}) {
    EXPECT_TRUE(name_of(counter_of(verdict)).starts_with("datagrams_dropped_"));
    EXPECT_TRUE(counters.insert(counter_of(verdict)).second);
  }
}

}  // namespace
}  // namespace echod
