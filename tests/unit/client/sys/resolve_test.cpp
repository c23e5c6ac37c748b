#include "client/sys/resolve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace echod::test {
namespace {

TEST(ResolveTest, AnAddressResolvesToItself) {
  for (const char* const host : {"192.0.2.1", "::1", "2001:db8::1", "0.0.0.0"}) {
    const auto addresses = sys::resolve(host, 2003);
    ASSERT_EQ(addresses.size(), 1U) << host;
    EXPECT_EQ(addresses[0].host(), host);
    EXPECT_EQ(addresses[0].port(), 2003);
  }
}

TEST(ResolveTest, LocalhostIsTheLoopback) {
  const auto addresses = sys::resolve("localhost", 7);
  ASSERT_FALSE(addresses.empty());
  for (const SocketAddress& address : addresses) {
    EXPECT_TRUE(address.host() == "127.0.0.1" || address.host() == "::1") << address.text();
    EXPECT_EQ(address.port(), 7);
  }
}

using Hosts = std::vector<std::string>;

Hosts interleaved(const Hosts& hosts) {
  std::vector<SocketAddress> addresses;
  for (const std::string& host : hosts) {
    addresses.push_back(*SocketAddress::parse(host, 7));
  }
  Hosts result;
  for (const SocketAddress& address : sys::interleave_families(addresses)) {
    result.push_back(address.host());
  }
  return result;
}

TEST(ResolveTest, FamiliesTakeTurnsFromTheFirstAddressOn) {
  EXPECT_EQ(interleaved({}), Hosts{});
  EXPECT_EQ(interleaved({"::1", "::2", "::3", "192.0.2.1", "192.0.2.2"}),
            (Hosts{"::1", "192.0.2.1", "::2", "192.0.2.2", "::3"}));
  EXPECT_EQ(interleaved({"192.0.2.1", "192.0.2.2", "192.0.2.3", "::1"}),
            (Hosts{"192.0.2.1", "::1", "192.0.2.2", "192.0.2.3"}));
  EXPECT_EQ(interleaved({"::1", "::2"}), (Hosts{"::1", "::2"}));
}

TEST(ResolveTest, AnUnknownNameGivesTheMessageOfTheResolver) {
  // Such a name never exists (RFC 6761, section 6.4).
  for (const char* const host : {"nonsense.invalid", "", "..", "a b"}) {
    try {
      (void)sys::resolve(host, 7);
      ADD_FAILURE() << host << " was found";
    } catch (const std::runtime_error& error) {
      const std::string begin = "cannot find " + std::string(host) + ": ";
      EXPECT_TRUE(std::string(error.what()).starts_with(begin)) << error.what();
      EXPECT_GT(std::string(error.what()).size(), begin.size());
    }
  }
}

}  // namespace
}  // namespace echod::test
