#include "socket_address.hpp"

#include <gtest/gtest.h>
#include <net/if.h>

#include <cstring>
#include <string>
#include <string_view>

#include "allocations.hpp"

namespace echod::test {
namespace {

using namespace std::string_view_literals;
using sys::SocketAddress;

SocketAddress parsed(std::string_view text, std::uint16_t port = 2003) {
  const auto address = SocketAddress::parse(text, port);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(SocketAddress());
}

// To the kernel and back.
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

TEST(SocketAddressTest, OfIpv4IsReadAndWritten) {
  const SocketAddress address = parsed("192.0.2.1");
  EXPECT_FALSE(address.is_v6());
  EXPECT_FALSE(address.is_any());
  EXPECT_EQ(address.port(), 2003);
  EXPECT_EQ(address.host(), "192.0.2.1");
  EXPECT_EQ(address.text(), "192.0.2.1:2003");
  EXPECT_EQ(round_trip(address), address);
}

TEST(SocketAddressTest, OfIpv6IsReadAndWrittenInBrackets) {
  const SocketAddress address = parsed("2001:DB8:0:0::1");
  EXPECT_TRUE(address.is_v6());
  EXPECT_FALSE(address.is_any());
  EXPECT_EQ(address.host(), "2001:db8::1");
  EXPECT_EQ(address.text(), "[2001:db8::1]:2003");
  EXPECT_EQ(round_trip(address), address);
}

TEST(SocketAddressTest, OfALinkNeedsAnInterfaceByNumberOrName) {
  const SocketAddress address = parsed("fe80::1%7");
  EXPECT_EQ(address.text(), "[fe80::1%7]:2003");
  EXPECT_EQ(round_trip(address), address);
  EXPECT_NE(address, parsed("fe80::1%8"));
  if (const unsigned index = if_nametoindex("lo"); index != 0) {
    EXPECT_EQ(parsed("fe80::1%lo").host(), "fe80::1%" + std::to_string(index));
  }
}

TEST(SocketAddressTest, ThatIsNoneIsNotRead) {
  for (const std::string_view text :
       {"", " ", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1 ", "192.0.2.1:2003",
        "192.0.2.1%1", ":", ":::", "2001:db8::1::2", "[::1]", "fe80::1%",
        "fe80::1%no-such-interface", "fe80::1%-1", "%1"}) {
    EXPECT_FALSE(SocketAddress::parse(text, 1).has_value()) << text;
  }
}

TEST(SocketAddressTest, WithANulIsNoneWhateverStandsBeforeIt) {
  for (const std::string_view text :
       {"127.0.0.1\0x"sv, "127.0.0.1\0"sv, "::1\0"sv, "fe80::1%1\0x"sv, "\0"sv}) {
    EXPECT_FALSE(SocketAddress::parse(text, 1).has_value()) << text;
  }
}

TEST(SocketAddressTest, OfAllAddressesIsKnownForEachFamily) {
  EXPECT_TRUE(parsed("0.0.0.0").is_any());
  EXPECT_TRUE(parsed("::").is_any());
  EXPECT_EQ(parsed("0.0.0.0"), SocketAddress::any_v4(2003));
  EXPECT_EQ(parsed("::"), SocketAddress::any_v6(2003));
  EXPECT_NE(SocketAddress::any_v4(2003), SocketAddress::any_v6(2003));
  EXPECT_FALSE(parsed("0.0.0.1").is_any());
  EXPECT_FALSE(parsed("::1").is_any());
}

TEST(SocketAddressTest, OfAnIpv4PeerOfADualStackListenerIsTheIpv4Address) {
  const SocketAddress mapped = parsed("::ffff:192.0.2.1");
  EXPECT_EQ(round_trip(mapped), parsed("192.0.2.1"));
  EXPECT_EQ(round_trip(mapped).text(), "192.0.2.1:2003");
}

TEST(SocketAddressTest, OfAnotherFamilyIsNobodys) {
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

// A reload that has no memory reads addresses, too.
TEST(SocketAddressTest, IsReadWithoutMemory) {
  const AllocationFailure no_memory;
  for (const std::string_view text :
       {"2001:0db8:1111:2222:3333:4444:5555:6666", "fe80:0000:0000:0000:0000:0000:0000:0001%1"}) {
    EXPECT_TRUE(SocketAddress::parse(text, 2003)) << text;
  }
  EXPECT_FALSE(SocketAddress::parse("fe80::1%a-name-longer-than-any-interface-has", 2003));
}

TEST(SocketAddressTest, ATextThatIsTooLongIsNoAddress) {
  EXPECT_FALSE(SocketAddress::parse(std::string(1000, '1'), 2003));
  EXPECT_FALSE(SocketAddress::parse("fe80::1%" + std::string(1000, 'x'), 2003));
}

}  // namespace
}  // namespace echod::test
