// [[listen]] after an upgrade: what is new is served, what stays was never closed, and what is gone
// has left nobody behind.
#include <atomic>
#include <csignal>

#include "background.hpp"
#include "foreign_sockets.hpp"
#include "ipv6.hpp"
#include "passed_listener.hpp"
#include "reserved_port.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

std::string listen_config(const std::string& address, const ReservedPort& port,
                          const std::string& more = "") {
  return "[[listen]]\naddress = \"" + address + "\"\nport = " + std::to_string(port.port()) + '\n' +
         more;
}

bool is_port_served(const std::string& host, const ReservedPort& port) {
  try {
    return TcpPeer(host, port.port()).echoes("hello");
  } catch (const std::system_error&) {
    return false;  // Refused.
  }
}

class UpgradeListenTest : public UpgradeFixture {
 protected:
  void TearDown() override {
    if (!IsSkipped() && !daemon().is_finished()) {
      stop_daemon();
    }
    UpgradeFixture::TearDown();
  }

  const ReservedPort first_;
  const ReservedPort second_;
};

TEST_F(UpgradeListenTest, AnAddedOneIsServedAndARemovedOneIsNot) {
  start_replaceable(listen_config("127.0.0.1", first_));
  TcpPeer peer("127.0.0.1", first_.port());
  ASSERT_TRUE(peer.echoes("before"));
  EXPECT_FALSE(is_port_served("127.0.0.1", second_));
  upgrade_to(listen_config("127.0.0.1", second_) + listen_config("127.0.0.1", first_));
  EXPECT_TRUE(is_port_served("127.0.0.1", first_));
  EXPECT_TRUE(is_port_served("127.0.0.1", second_));
  upgrade_to(listen_config("127.0.0.1", second_));
  EXPECT_FALSE(is_port_served("127.0.0.1", first_));
  EXPECT_TRUE(is_port_served("127.0.0.1", second_));
  EXPECT_TRUE(peer.echoes("still served")) << "its listener is gone";
  upgrade_program();
  EXPECT_TRUE(peer.echoes("and after one more"));
  EXPECT_TRUE(is_port_served("127.0.0.1", second_));
}

TEST_F(UpgradeListenTest, ClientsThatWaitAtARemovedOneAreServed) {
  const std::string full = "workers = 2\n[limits]\nmax_connections = 1\n";
  start_replaceable(full + listen_config("127.0.0.1", first_));
  daemon().expect_log("full on ");
  TcpPeer served("127.0.0.1", first_.port());
  ASSERT_TRUE(served.echoes("hello"));
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.emplace_back("127.0.0.1", first_.port());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_full", 1);
  upgrade_to(full + listen_config("127.0.0.1", second_));
  for (TcpPeer& peer : waiting) {
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
  }
  daemon().expect_counter("connections", 6);
  daemon().expect_counter("accepted", 6);
  EXPECT_TRUE(served.echoes("too"));
}

TEST_F(UpgradeListenTest, ABacklogChangesWithoutANewSocket) {
  if (!may_see_foreign_sockets()) {
    GTEST_SKIP() << kNoForeignSockets;
  }
  start_replaceable(listen_config("127.0.0.1", first_, "backlog = 10\n"));
  for (const unsigned backlog : {50U, 5U}) {
    upgrade_to(listen_config("127.0.0.1", first_, "backlog = " + std::to_string(backlog) + '\n'));
    const auto sockets = sockets_of(daemon().pid(), first_.port());
    ASSERT_EQ(sockets.size(), 1U);
    EXPECT_EQ(sockets.front().backlog(), backlog);
  }
}

// Whoever connects to a listener that stays is never refused, and nobody is forgotten.
TEST_F(UpgradeListenTest, OneThatStaysRefusesNobody) {
  start_replaceable(listen_config("127.0.0.1", first_));
  std::atomic<int> served = 0;
  Background clients([&, port = first_.port()](const std::atomic<bool>& is_over) {
    while (!is_over) {
      TcpPeer peer("127.0.0.1", port);  // Throws if it is refused.
      peer.send_all("hello");
      peer.half_close();
      const Tail tail = peer.receive_to_end();
      EXPECT_EQ(tail.ending, Ending::fin);
      EXPECT_EQ(tail.bytes, "hello");
      ++served;
    }
  });
  for (int round = 0; round < 6; ++round) {
    const int before = served;
    upgrade_to(round % 2 == 0
                   ? listen_config("127.0.0.1", second_) + listen_config("127.0.0.1", first_)
                   : listen_config("127.0.0.1", first_, "backlog = 100\n") +
                         "[limits]\nopen_files = 300\n");
    wait_until("clients to be served", [&] { return served > before + 5; });
  }
  clients.finish();
  daemon().expect_counter("closed_peer_closed", static_cast<std::uint64_t>(served));
}

TEST_F(UpgradeListenTest, OneForIPv6OnlyTakesThePlaceOfOneForBothAndBack) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "this host has no IPv6";
  }
  start_replaceable(listen_config("::", first_));
  TcpPeer v4("127.0.0.1", first_.port());
  TcpPeer v6("::1", first_.port());
  for (int round = 0; round < 2; ++round) {
    upgrade_to(listen_config("::", first_, "v6only = true\n"));
    EXPECT_TRUE(is_port_served("::1", first_));
    EXPECT_FALSE(is_port_served("127.0.0.1", first_));
    upgrade_to(listen_config("::", first_));
    EXPECT_TRUE(is_port_served("::1", first_));
    EXPECT_TRUE(is_port_served("127.0.0.1", first_));
  }
  EXPECT_TRUE(v4.echoes("still served"));
  EXPECT_TRUE(v6.echoes("still served"));
}

TEST_F(UpgradeListenTest, AllIPv4AddressesTakeThePlaceOfAllAddressesAndBack) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "this host has no IPv6";
  }
  start_replaceable(listen_config("::", first_));
  TcpPeer v4("127.0.0.1", first_.port());
  TcpPeer v6("::1", first_.port());
  for (int round = 0; round < 2; ++round) {
    upgrade_to(listen_config("0.0.0.0", first_));
    EXPECT_FALSE(is_port_served("::1", first_));
    EXPECT_TRUE(is_port_served("127.0.0.1", first_));
    upgrade_to(listen_config("::", first_));
    EXPECT_TRUE(is_port_served("::1", first_));
    EXPECT_TRUE(is_port_served("127.0.0.1", first_));
  }
  EXPECT_TRUE(v4.echoes("still served"));
  EXPECT_TRUE(v6.echoes("still served"));
}

TEST_F(UpgradeListenTest, ASingleAddressTakesThePlaceOfAllAndBack) {
  start_replaceable(listen_config("0.0.0.0", first_));
  for (int round = 0; round < 2; ++round) {
    upgrade_to(listen_config("127.0.0.1", first_) + listen_config("127.0.0.2", first_));
    EXPECT_TRUE(is_port_served("127.0.0.1", first_));
    EXPECT_TRUE(is_port_served("127.0.0.2", first_));
    EXPECT_FALSE(is_port_served("127.0.0.3", first_));
    upgrade_to(listen_config("0.0.0.0", first_));
    EXPECT_TRUE(is_port_served("127.0.0.3", first_));
  }
}

// The port that the kernel chose stays, as long as the configuration asks for any port.
TEST_F(UpgradeListenTest, AnyFreePortIsThePortItWas) {
  start_replaceable("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  const std::uint16_t port = daemon().port();
  upgrade_program();
  upgrade_to("workers = 1\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  EXPECT_TRUE(TcpPeer("127.0.0.1", port).echoes("hello"));
}

class UpgradeActivationTest : public UpgradeFixture {
 protected:
  void start_with(const PassedListener& passed) {
    start_replaceable(DaemonOptions{.config = passed.config(), .passes = {passed.fd()}});
  }
};

TEST_F(UpgradeActivationTest, APassedSocketIsServedAfterTwoUpgradesInARow) {
  if (!may_see_foreign_sockets()) {
    GTEST_SKIP() << kNoForeignSockets;
  }
  const PassedListener passed;
  start_with(passed);
  TcpPeer peer("127.0.0.1", passed.port());
  ASSERT_TRUE(peer.echoes("before"));
  for (int round = 0; round < 2; ++round) {
    upgrade_program();
    EXPECT_TRUE(peer.echoes("the same connection"));
    EXPECT_TRUE(TcpPeer("127.0.0.1", passed.port()).echoes("a new connection"));
    EXPECT_EQ(sockets_of(daemon().pid(), passed.port()).size(), 1U);
  }
  peer.close();
  daemon().finish();
  EXPECT_TRUE(TcpPeer("127.0.0.1", passed.port()).fd() >= 0) << "the socket stays open";
}

TEST_F(UpgradeActivationTest, ABacklogOfAPassedSocketChanges) {
  const PassedListener passed;
  start_with(passed);
  upgrade_to(passed.config("backlog = 33\n"));
  EXPECT_EQ(passed.backlog(), 33);
}

TEST_F(UpgradeActivationTest, AnotherAddressIsRefused) {
  const PassedListener passed;
  const PassedListener other;
  start_with(passed);
  daemon().expect_log("socket activation: [[listen]] 127.0.0.1:" + std::to_string(other.port()) +
                      " is not among the passed sockets");
  daemon().expect_log("reload: refused");
  write_config(other.config());
  EXPECT_EQ(request_reload(), kReloadRefused);
  EXPECT_TRUE(TcpPeer("127.0.0.1", passed.port()).echoes("still served"));
  daemon().expect_counter("upgrades_refused", 1);
  write_config(passed.config());
  EXPECT_EQ(request_reload(), 0);
}

}  // namespace
}  // namespace echod::test
