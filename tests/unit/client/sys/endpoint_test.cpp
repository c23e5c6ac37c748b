#include "client/sys/endpoint.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

using client::Endpoint;
using client::Transport;

TEST(EndpointTest, AnAddressIsATcpServer) {
  const Endpoint server = *SocketAddress::parse("::1", 2003);
  EXPECT_EQ(server.transport(), Transport::tcp);
  EXPECT_EQ(server.address().port(), 2003);
  EXPECT_EQ(server.text(), "[::1]:2003");
  EXPECT_TRUE(server.is_known());
}

TEST(EndpointTest, APathIsAUnixSocket) {
  const Endpoint server = Endpoint::at_path("/run/echod/echo.sock");
  EXPECT_TRUE(server.is_local());
  EXPECT_EQ(server.path(), "/run/echod/echo.sock");
  EXPECT_EQ(server.text(), "unix:/run/echod/echo.sock");
  EXPECT_TRUE(server.is_known());
}

TEST(EndpointTest, UdpIsSaidInTheText) {
  const Endpoint server = Endpoint::udp(*SocketAddress::parse("::1", 7));
  EXPECT_TRUE(server.is_udp());
  EXPECT_EQ(server.text(), "udp://[::1]:7");
  EXPECT_FALSE(server == Endpoint(server.address()));
}

TEST(EndpointTest, ByDefaultNoServerIsKnown) {
  EXPECT_FALSE(Endpoint().is_known());
}

TEST(EndpointTest, ItsTextCanBeRead) {
  for (const char* const text : {"192.0.2.1:7", "[2001:db8::1]:65535", "udp://192.0.2.1:7",
                                 "udp://[::1]:9", "unix:/run/a b:7", "unix:x"}) {
    const auto server = Endpoint::parse(text);
    ASSERT_TRUE(server) << text;
    EXPECT_EQ(server->text(), text);
  }
}

TEST(EndpointTest, OtherTextsAreNotRead) {
  for (const char* const text :
       {"", "7", "here:7", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "udp://x"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

}  // namespace
}  // namespace echod::test
