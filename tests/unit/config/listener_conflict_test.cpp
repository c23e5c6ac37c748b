#include "config/listener_conflict.hpp"

#include <gtest/gtest.h>

#include <string>

namespace echod {
namespace {

ListenConfig at(const std::string& address, std::uint16_t port = 2003) {
  ListenConfig listener;
  listener.address = SocketAddress::parse(address, port).value();
  return listener;
}

ListenConfig v6only_at(const std::string& address) {
  ListenConfig listener = at(address);
  listener.v6only = true;
  return listener;
}

// Checks both orders.
bool conflict(const ListenConfig& one, const ListenConfig& other) {
  const bool is_conflict = listener_conflict(one, other).has_value();
  EXPECT_EQ(listener_conflict(other, one).has_value(), is_conflict);
  return is_conflict;
}

TEST(ListenerConflict, IsTheSameAddressAndPortTwice) {
  EXPECT_TRUE(conflict(at("192.0.2.1"), at("192.0.2.1")));
  EXPECT_TRUE(conflict(at("::1"), v6only_at("::1")));
  EXPECT_TRUE(conflict(at("::"), v6only_at("::")));
}

TEST(ListenerConflict, IsAllAddressesBesideASingleOneOfTheFamily) {
  EXPECT_TRUE(conflict(at("0.0.0.0"), at("192.0.2.1")));
  EXPECT_TRUE(conflict(at("::"), at("::1")));
  EXPECT_TRUE(conflict(v6only_at("::"), at("::1")));
}

TEST(ListenerConflict, IsADualStackListenerBesideAnyIpv4Address) {
  EXPECT_TRUE(conflict(at("::"), at("0.0.0.0")));
  EXPECT_TRUE(conflict(at("::"), at("192.0.2.1")));
  EXPECT_FALSE(conflict(v6only_at("::"), at("0.0.0.0")));
  EXPECT_FALSE(conflict(v6only_at("::"), at("192.0.2.1")));
  EXPECT_FALSE(conflict(at("::1"), at("0.0.0.0")));
}

TEST(ListenerConflict, DoesNotExistBetweenDifferentAddresses) {
  EXPECT_FALSE(conflict(at("192.0.2.1"), at("192.0.2.2")));
  EXPECT_FALSE(conflict(at("::1"), at("192.0.2.1")));
  EXPECT_FALSE(conflict(at("fe80::1%1"), at("fe80::1%2")));
}

TEST(ListenerConflict, DoesNotExistBetweenDifferentOrKernelChosenPorts) {
  EXPECT_FALSE(conflict(at("::", 7), at("::", 2003)));
  EXPECT_FALSE(conflict(at("::", 0), at("::", 0)));
}

TEST(ListenerConflict, DoesNotExistBetweenTcpAndUdp) {
  ListenConfig udp = at("::");
  udp.protocol = Protocol::udp;
  EXPECT_FALSE(conflict(at("::"), udp));
  EXPECT_FALSE(conflict(at("192.0.2.1"), udp));
  EXPECT_TRUE(conflict(udp, udp));
}

TEST(ListenerConflict, IsTheSamePathTwice) {
  ListenConfig path;
  path.path = "/run/a.sock";
  ListenConfig other = path;
  EXPECT_TRUE(conflict(path, other));
  other.path = "/run/b.sock";
  EXPECT_FALSE(conflict(path, other));
  EXPECT_FALSE(conflict(path, ListenConfig{}));
}

}  // namespace
}  // namespace echod
