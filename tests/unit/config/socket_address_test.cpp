#include "config/net/socket_address.hpp"

#include <gtest/gtest.h>
#include <net/if.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "allocations.hpp"

namespace echod::test {
namespace {

using namespace std::string_view_literals;

SocketAddress parsed(std::string_view text, std::uint16_t port = 2003) {
  const auto address = SocketAddress::parse(text, port);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(SocketAddress());
}

// Converts an address to the kernel's form and back.
SocketAddress round_trip(const SocketAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = address.to(storage);
  EXPECT_EQ(length, address.is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  return SocketAddress::from(storage);
}

TEST(SocketAddressTest, IsAllOfIpv4WithoutAPortByDefault) {
  EXPECT_EQ(SocketAddress().text(), "0.0.0.0:0");
  EXPECT_TRUE(SocketAddress().is_any());
}

TEST(SocketAddressTest, IsMadeAgainFromItsParts) {
  for (const char* const host : {"192.0.2.1", "2001:db8::1", "fe80::1%7", "::ffff:192.0.2.1"}) {
    const SocketAddress address = parsed(host);
    EXPECT_EQ(SocketAddress::from_parts(address.bytes(), address.scope_id(), address.port()),
              address)
        << host;
  }
}

TEST(SocketAddressTest, PartsOfAnotherLengthAreNotAnAddress) {
  const std::array<std::uint8_t, 17> bytes{};
  for (const std::size_t length : {0U, 3U, 5U, 15U, 17U}) {
    EXPECT_FALSE(SocketAddress::from_parts(std::span(bytes).first(length), 0, 2003)) << length;
  }
}

TEST(SocketAddressTest, ParsesAndWritesIpv4) {
  const SocketAddress address = parsed("192.0.2.1");
  EXPECT_FALSE(address.is_v6());
  EXPECT_FALSE(address.is_any());
  EXPECT_EQ(address.port(), 2003);
  EXPECT_EQ(address.host(), "192.0.2.1");
  EXPECT_EQ(address.text(), "192.0.2.1:2003");
  EXPECT_EQ(round_trip(address), address);
}

TEST(SocketAddressTest, ParsesIpv6AndWritesItInBrackets) {
  const SocketAddress address = parsed("2001:DB8:0:0::1");
  EXPECT_TRUE(address.is_v6());
  EXPECT_FALSE(address.is_any());
  EXPECT_EQ(address.host(), "2001:db8::1");
  EXPECT_EQ(address.text(), "[2001:db8::1]:2003");
  EXPECT_EQ(round_trip(address), address);
}

TEST(SocketAddressTest, ParsesAnInterfaceByNumberOrName) {
  const SocketAddress address = parsed("fe80::1%7");
  EXPECT_EQ(address.text(), "[fe80::1%7]:2003");
  EXPECT_EQ(round_trip(address), address);
  EXPECT_NE(address, parsed("fe80::1%8"));
  if (const unsigned index = if_nametoindex("lo"); index != 0) {
    EXPECT_EQ(parsed("fe80::1%lo").host(), "fe80::1%" + std::to_string(index));
  }
}

TEST(SocketAddressTest, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", " ", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1 ", "192.0.2.1:2003",
        "192.0.2.1%1", ":", ":::", "2001:db8::1::2", "[::1]", "fe80::1%",
        "fe80::1%no-such-interface", "fe80::1%-1", "%1"}) {
    EXPECT_FALSE(SocketAddress::parse(text, 1).has_value()) << text;
  }
}

TEST(SocketAddressTest, ParsesTheLongestAddressWithoutAllocating) {
  constexpr std::string_view kLongest = "0000:0000:0000:0000:0000:ffff:255.255.255.255";
  static_assert(kLongest.size() == INET6_ADDRSTRLEN - 1);
  const std::string on_interface = std::string(kLongest) + "%lo";
  std::optional<SocketAddress> full;
  std::optional<SocketAddress> longest;
  bool has_scope = false;
  bool has_no_scope = false;
  {
    const AllocationFailure no_memory;
    full = SocketAddress::parse("2001:0db8:0000:0000:0000:0000:0000:0001", 1);
    longest = SocketAddress::parse(kLongest, 1);
    has_scope = SocketAddress::parse(on_interface, 1).has_value();
    has_no_scope = !SocketAddress::parse("fe80::1%an-interface-of-no-host", 1).has_value();
  }
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host(), "2001:db8::1");
  ASSERT_TRUE(longest);
  EXPECT_EQ(round_trip(*longest).host(), "255.255.255.255");
  EXPECT_EQ(has_scope, if_nametoindex("lo") != 0);
  EXPECT_TRUE(has_no_scope);
}

TEST(SocketAddressTest, RefusesATextThatIsTooLong) {
  const std::string zeros(INET6_ADDRSTRLEN, '0');
  for (const std::string& text : {zeros + "::1", "::1%" + zeros + "x", zeros,
                                  "::1%" + zeros + zeros + "x", std::string(100'000, ':')}) {
    EXPECT_FALSE(SocketAddress::parse(text, 1).has_value()) << text;
  }
}

TEST(SocketAddressTest, RefusesATextWithANul) {
  for (const std::string_view text :
       {"127.0.0.1\0x"sv, "127.0.0.1\0"sv, "::1\0"sv, "fe80::1%1\0x"sv, "\0"sv}) {
    EXPECT_FALSE(SocketAddress::parse(text, 1).has_value()) << text;
  }
}

TEST(SocketAddressTest, KnowsTheNameOfItsInterface) {
  const std::string lo = "lo";
  EXPECT_EQ(parsed("fe80::1%lo").interface(), lo);
  EXPECT_EQ(parsed("fe80::1%" + std::to_string(if_nametoindex("lo"))).interface(), lo);
  EXPECT_EQ(parsed("fe80::1%4294967295").interface(), "");
  EXPECT_EQ(parsed("fe80::1").interface(), "");
  EXPECT_TRUE(parsed("fe80::1%lo").has_scope());
  EXPECT_FALSE(parsed("fe80::1%0").has_scope());
}

TEST(SocketAddressTest, IsUnicastUnlessItIsMulticastOrBroadcast) {
  for (const char* const text :
       {"224.0.0.0", "239.255.255.255", "255.255.255.255", "ff00::", "ff02::1%1", "ffff::1"}) {
    EXPECT_FALSE(parsed(text).is_unicast()) << text;
  }
  for (const char* const text : {"0.0.0.0", "::", "127.0.0.1", "223.255.255.255", "240.0.0.0",
                                 "255.255.255.254", "feff::1", "e000::1", "::ff02"}) {
    EXPECT_TRUE(parsed(text).is_unicast()) << text;
  }
}

TEST(SocketAddressTest, IsLinkLocalInFe80WithTenBitsOnly) {
  EXPECT_TRUE(parsed("fe80::").is_v6_link_local());
  EXPECT_TRUE(parsed("febf::1%1").is_v6_link_local());
  for (const char* const text : {"fe7f::1", "fec0::1", "::1", "::", "254.128.0.1", "169.254.0.1"}) {
    EXPECT_FALSE(parsed(text).is_v6_link_local()) << text;
  }
}

TEST(SocketAddressTest, KnowsTheAddressThatMeansAllOfEachFamily) {
  EXPECT_TRUE(parsed("0.0.0.0").is_any());
  EXPECT_TRUE(parsed("::").is_any());
  EXPECT_EQ(parsed("0.0.0.0"), SocketAddress::any_v4(2003));
  EXPECT_EQ(parsed("::"), SocketAddress::any_v6(2003));
  EXPECT_NE(SocketAddress::any_v4(2003), SocketAddress::any_v6(2003));
  EXPECT_FALSE(parsed("0.0.0.1").is_any());
  EXPECT_FALSE(parsed("::1").is_any());
}

TEST(SocketAddressTest, ConvertsAnIpv4MappedAddressToIpv4) {
  const SocketAddress mapped = parsed("::ffff:192.0.2.1");
  EXPECT_EQ(round_trip(mapped), parsed("192.0.2.1"));
  EXPECT_EQ(round_trip(mapped).text(), "192.0.2.1:2003");
}

TEST(SocketAddressTest, IsAllOfIpv4ForAnotherFamily) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(SocketAddress::from(storage), SocketAddress());
}

TEST(SocketAddressTest, DiffersByHostPortAndFamily) {
  EXPECT_EQ(parsed("192.0.2.1", 1), parsed("192.0.2.1", 1));
  EXPECT_NE(parsed("192.0.2.1", 1), parsed("192.0.2.1", 2));
  EXPECT_NE(parsed("192.0.2.1", 1), parsed("192.0.2.2", 1));
  SocketAddress moved = parsed("192.0.2.1", 1);
  moved.set_port(65535);
  EXPECT_EQ(moved, parsed("192.0.2.1", 65535));
  EXPECT_EQ(round_trip(moved).port(), 65535);
}

TEST(SocketAddressTest, OfAProcessHasItsNumbersAsText) {
  const SocketAddress process = SocketAddress::of_process(4711, 1000);
  EXPECT_TRUE(process.is_local());
  EXPECT_FALSE(process.is_v6());
  EXPECT_EQ(process.text(), "unix:pid=4711,uid=1000");
  EXPECT_EQ(SocketAddress::of_process(0, UINT32_MAX).text(), "unix:pid=0,uid=4294967295");
  EXPECT_FALSE(SocketAddress().is_local());
}

TEST(SocketAddressTest, OfAProcessIsMadeAgainFromItsParts) {
  const SocketAddress process = SocketAddress::of_process(4711, 1000);
  EXPECT_EQ(process.bytes().size(), 8U);
  EXPECT_EQ(SocketAddress::from_parts(process.bytes(), 0, 0), process);
  EXPECT_EQ(SocketAddress::from_parts(process.bytes().first(7), 0, 0), std::nullopt);
}

}  // namespace
}  // namespace echod::test
