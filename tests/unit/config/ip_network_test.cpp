#include "config/net/ip_network.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace echod::test {
namespace {

bool is_in(std::string_view address, std::string_view network) {
  return IpNetwork::parse(network)->contains(*SocketAddress::parse(address, 2003));
}

TEST(IpNetworkTest, ContainsTheAddressesWithItsPrefix) {
  EXPECT_TRUE(is_in("192.0.2.0", "192.0.2.0/24"));
  EXPECT_TRUE(is_in("192.0.2.255", "192.0.2.0/24"));
  EXPECT_FALSE(is_in("192.0.3.0", "192.0.2.0/24"));
  EXPECT_TRUE(is_in("10.127.0.1", "10.64.0.0/10"));
  EXPECT_FALSE(is_in("10.128.0.1", "10.64.0.0/10"));
  EXPECT_TRUE(is_in("2001:db8:ffff::1", "2001:db8::/32"));
  EXPECT_FALSE(is_in("2001:db9::1", "2001:db8::/32"));
}

TEST(IpNetworkTest, IsOneAddressWithoutAPrefixLength) {
  EXPECT_TRUE(is_in("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(is_in("192.0.2.6", "192.0.2.7"));
  EXPECT_TRUE(is_in("::1", "::1/128"));
  EXPECT_FALSE(is_in("::2", "::1"));
}

TEST(IpNetworkTest, OfPrefixZeroContainsAllAddressesOfItsFamily) {
  EXPECT_TRUE(is_in("203.0.113.9", "0.0.0.0/0"));
  EXPECT_TRUE(is_in("2001:db8::1", "::/0"));
  EXPECT_FALSE(is_in("2001:db8::1", "0.0.0.0/0"));
  EXPECT_FALSE(is_in("203.0.113.9", "::/0"));
}

TEST(IpNetworkTest, IgnoresBitsAfterThePrefix) {
  EXPECT_TRUE(is_in("192.0.2.1", "192.0.2.99/24"));
}

TEST(IpNetworkTest, TakesAMappedNetworkAsTheIPv4Network) {
  EXPECT_TRUE(is_in("192.0.2.1", "::ffff:192.0.2.0/120"));
  EXPECT_FALSE(is_in("192.0.3.1", "::ffff:192.0.2.0/120"));
  EXPECT_FALSE(IpNetwork::parse("::ffff:192.0.2.0/64"));
}

TEST(IpNetworkTest, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "/", "/8", "localhost", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/8x",
        "192.0.2/24", "::/129", "fe80::1%1/64", "192.0.2.0/24/24", "192.0.2.0/ 8"}) {
    EXPECT_FALSE(IpNetwork::parse(text)) << text;
  }
}

TEST(IpNetworkTest, HasNoProcesses) {
  EXPECT_FALSE(IpNetwork::parse("0.0.0.0/0")->contains(SocketAddress::of_process(1, 0)));
  EXPECT_FALSE(IpNetwork::parse("::/0")->contains(SocketAddress::of_process(1, 0)));
}

}  // namespace
}  // namespace echod::test
