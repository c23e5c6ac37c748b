#include "admin/host_check.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace echod::test {
namespace {

bool is_own(std::string_view host) {
  return is_own_host(host, "probe7.example.net");
}

TEST(HostCheckTest, AnIpAddressIsOwnWithAnyPort) {
  for (const std::string_view host : {"127.0.0.1", "127.0.0.1:9862", "192.0.2.7:80", "[::1]",
                                      "[::1]:9862", "[2001:DB8::7]:1", "127.0.0.1:"}) {
    EXPECT_TRUE(is_own(host)) << host;
  }
}

TEST(HostCheckTest, LocalhostAndTheNameOfTheHostAreOwn) {
  for (const std::string_view host :
       {"localhost", "LocalHost:9862", "probe7.example.net", "PROBE7.example.net:9862"}) {
    EXPECT_TRUE(is_own(host)) << host;
  }
}

TEST(HostCheckTest, NamesThatOthersMayHaveRegisteredAreForeign) {
  for (const std::string_view host :
       {"attacker.example", "localhost.attacker.example", "probe7", "probe7.example.net.evil",
        "127.0.0.1.attacker.example", "127.0.0.1.", "1", "0x7f.1", "localhost.", "xlocalhost"}) {
    EXPECT_FALSE(is_own(host)) << host;
  }
}

TEST(HostCheckTest, MalformedHostsAreForeign) {
  for (const std::string_view host :
       {"", ":", ":9862", "[", "[]", "[::1", "::1", "[127.0.0.1]", "[localhost]", "[::1]9862",
        "[::1]:x", "127.0.0.1:x", "localhost:123456", "localhost:1:2", "localhost ",
        "user@localhost", "localhost:80@evil", "[fe80::1%lo]", "127.0.0.1%lo"}) {
    EXPECT_FALSE(is_own(host)) << host;
  }
}

TEST(HostCheckTest, AHostWithoutANameOwnsNoEmptyName) {
  EXPECT_FALSE(is_own_host("", ""));
  EXPECT_FALSE(is_own_host(":80", ""));
}

}  // namespace
}  // namespace echod::test
