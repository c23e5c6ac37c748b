// Datagrams: what comes back, from where, and what is counted instead.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "admin_client.hpp"
#include "datagram_fixture.hpp"
#include "ipv6.hpp"
#include "passed_listener.hpp"
#include "reserved_port.hpp"

namespace echod::test {
namespace {

class DatagramTest : public DatagramFixture {};

TEST_F(DatagramTest, EverySizeComesBack) {
  start_udp(udp_config("::"));
  std::vector<std::string> hosts{"127.0.0.1"};
  if (has_ipv6()) {
    hosts.emplace_back("::1");
  }
  std::uint64_t bytes_sent = 0;
  for (const std::string& host : hosts) {
    const UdpPeer peer = udp_peer(host);
    for (const std::size_t size : {0U, 1U, 1472U, 1473U, 9000U, 65507U}) {
      std::string bytes(size, 'x');
      for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>(i % 251);
      }
      EXPECT_TRUE(peer.echoes(bytes)) << size << " bytes to " << host;
      bytes_sent += size;
    }
  }
  daemon().expect_counter("datagrams_echoed", 6 * hosts.size());
  daemon().expect_counter("datagram_bytes_sent", bytes_sent);
  expect_balance();
}

TEST_F(DatagramTest, TheAnswerComesFromTheAddressThatWasAsked) {
  start_udp(udp_config("::"));
  std::vector<std::string> hosts{"127.0.0.1", "127.0.0.2", "127.1.2.3"};
  if (has_ipv6()) {
    hosts.emplace_back("::1");
  }
  for (const std::string& host : hosts) {
    const UdpPeer peer = udp_peer(host);
    peer.send("hello");
    const UdpAnswer answer = peer.receive();
    EXPECT_EQ(answer.bytes, "hello");
    EXPECT_EQ(answer.host, host);
    EXPECT_EQ(answer.port, daemon().datagram_port());
  }
}

TEST_F(DatagramTest, AnIpv4ListenerAnswersFromTheAddressThatWasAskedToo) {
  start_udp(udp_config("0.0.0.0"));
  const UdpPeer peer = udp_peer("127.0.0.2");
  peer.send("hello");
  EXPECT_EQ(peer.receive().host, "127.0.0.2");
}

TEST_F(DatagramTest, TcpAndUdpServeTheSameAddressAndPort) {
  const ReservedPort reserved;  // A TCP port; the UDP port of that number is most probably free.
  const std::string port = std::to_string(reserved.port());
  start_udp("[[listen]]\naddress = \"127.0.0.1\"\nport = " + port + '\n' +
            udp_config("127.0.0.1", reserved.port()));
  EXPECT_EQ(daemon().port(), daemon().datagram_port());
  EXPECT_TRUE(connect().echoes("stream"));
  EXPECT_TRUE(udp_peer().echoes("datagram"));
}

TEST_F(DatagramTest, ADaemonWithUdpAloneIsReady) {
  start_udp(udp_config("127.0.0.1"));
  EXPECT_TRUE(daemon().listeners().empty());
  EXPECT_EQ(AdminClient(runtime_.file("admin.sock")).get("/readyz").status, 200);
  EXPECT_TRUE(udp_peer().echoes("hello"));
  EXPECT_EQ(metric("echod_datagram_listener_open"), 1U);
}

TEST_F(DatagramTest, ABufferThatTheKernelCutsIsAWarning) {
  start_udp("[socket]\nreceive_buffer_kib = 1048576\n" + udp_config("127.0.0.1"))
      .expect_log("the kernel cuts the receive buffer of udp 127.0.0.1:");
}

TEST_F(DatagramTest, ABurstComesBack) {
  constexpr std::size_t kBurst = 200;
  start_udp("workers = 2\n" + udp_config("127.0.0.1"));
  const UdpPeer peer = udp_peer();
  daemon().freeze();
  for (std::size_t i = 0; i < kBurst; ++i) {
    peer.send(numbered(i, 100));
  }
  daemon().thaw();
  for (std::size_t i = 0; i < kBurst; ++i) {
    EXPECT_EQ(peer.receive().bytes, numbered(i, 100));
  }
  EXPECT_EQ(dropped_by_kernel(), 0U);
  expect_balance();
}

// Without a loss anywhere that is not counted.
TEST_F(DatagramTest, AnOverloadIsCountedToTheDatagram) {
  constexpr std::size_t kSent = 2000;
  start_udp("workers = 1\n[socket]\nreceive_buffer_kib = 16\n" + udp_config("127.0.0.1"));
  const UdpPeer peer = udp_peer();
  overload(peer, kSent);
  EXPECT_GT(dropped_by_kernel(), 0U);
  const std::uint64_t echoed = daemon().counter("datagrams_echoed");
  for (std::uint64_t i = 0; i < echoed; ++i) {
    EXPECT_EQ(peer.receive().bytes, numbered(i, 100));
  }
  EXPECT_FALSE(peer.receive_now());
  expect_balance();
}

// So that a client's sent datagrams are always those echoed and those counted as dropped.
TEST_F(DatagramTest, WhatTheKernelDroppedIsKnownWhileItDrainsAndAtItsEnd) {
  constexpr std::size_t kSent = 2000;
  start_udp(
      "workers = 2\n[socket]\nreceive_buffer_kib = 16\n[timeouts]\nlinger_s = 60\ndrain_s = 60\n"
      "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n" +
      udp_config("127.0.0.1"));
  TcpPeer connection = connect();  // The drain waits for it.
  ASSERT_TRUE(connection.echoes("hello"));
  const UdpPeer peer = udp_peer();
  overload(peer, kSent);
  const std::uint64_t dropped = dropped_by_kernel();
  ASSERT_GT(dropped, 0U);
  daemon().expect_counter("datagram_queue_dropped", dropped);
  daemon().signal(SIGTERM);
  wait_until("the UDP sockets to be closed",
             [&] { return metric("echod_datagram_listener_open") == 0; });
  EXPECT_EQ(dropped_by_kernel(), dropped);
  daemon().expect_counter("datagram_queue_dropped", dropped);
  connection.half_close();
  daemon().finish_stopped();
  const std::string totals = daemon().wait_for_log("counters: ");
  EXPECT_NE(totals.find(" datagram_queue_dropped=" + std::to_string(dropped) + ' '),
            std::string::npos)
      << totals;
}

TEST_F(DatagramTest, ClientsGetTheirOwnBytes) {
  start_udp("workers = 2\n" + udp_config("127.0.0.1"));
  std::vector<UdpPeer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(udp_peer());
  }
  for (std::size_t round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      peers[i].send(numbered(i, 50) + std::to_string(round));
    }
    for (std::size_t i = 0; i < peers.size(); ++i) {
      EXPECT_EQ(peers[i].receive().bytes, numbered(i, 50) + std::to_string(round));
    }
  }
  for (const UdpPeer& peer : peers) {
    EXPECT_FALSE(peer.receive_now());
  }
}

TEST_F(DatagramTest, TrainsComeBackWhole) {
  constexpr std::uint16_t kSegment = 400;
  start_udp("workers = 1\n" + udp_config("127.0.0.1"));
  const UdpPeer peer = udp_peer();
  std::uint64_t sent = 0;
  for (const std::size_t segments : {2U, 64U, 65U, 128U}) {
    std::string train;
    for (std::size_t i = 0; i < segments; ++i) {
      train += numbered(i, kSegment);
    }
    train.resize(train.size() - 7);  // The last one is shorter.
    if (!peer.sends_train(train, kSegment)) {
      EXPECT_GT(segments, 64U) << "this kernel has no UDP_SEGMENT";
      continue;
    }
    sent += segments;
    for (std::size_t offset = 0; offset < train.size(); offset += kSegment) {
      EXPECT_EQ(peer.receive().bytes, train.substr(offset, kSegment)) << segments;
    }
  }
  daemon().expect_counter("datagrams_echoed", sent);
  EXPECT_GT(daemon().counter("datagram_trains"), 0U);
  daemon().expect_counter("datagram_trains_refused", 0);
}

TEST_F(DatagramTest, WhatAGuardRefusesIsSilentAndCounted) {
  // With several workers, each has a socket that gets the broadcast.
  start_udp("workers = 1\n" + udp_config("127.0.0.1") + udp_config("0.0.0.0"));
  const std::uint16_t port = daemon().datagram_port();
  // Another echod would send from its own port, which may be the same.
  const UdpPeer same_port = udp_peer("127.0.0.1", {.host = "127.0.0.2", .port = port});
  same_port.send("loop");
  const UdpPeer broadcast("127.255.255.255", daemon().datagram_listeners().back().port,
                          {.host = "127.0.0.1"});
  broadcast.send("to all");
  daemon().wait_for_counter("datagrams_received", 2);
  EXPECT_TRUE(udp_peer().echoes("hello"));
  daemon().expect_counter("datagrams_dropped_own_port", 1);
  daemon().expect_counter("datagrams_dropped_to_many", 1);
  EXPECT_FALSE(same_port.receive_now());
  EXPECT_FALSE(broadcast.receive_now());
  expect_balance();
}

// A dead client answers each echo with ICMP: port unreachable.
TEST_F(DatagramTest, ADeadClientDoesNotDisturbOthers) {
  start_udp("workers = 1\n" + udp_config("127.0.0.1"));
  const UdpPeer peer = udp_peer();
  for (int i = 0; i < 20; ++i) {
    {
      const UdpPeer dead = udp_peer();
      dead.send("farewell");
    }
    EXPECT_TRUE(peer.echoes("alive"));
  }
  daemon().expect_counter("datagram_receive_errors", 0);
  daemon().expect_counter("datagrams_dropped_not_sent", 0);
}

TEST_F(DatagramTest, ADrainEchoesWhatWaits) {
  // So many turns that the stop comes before the last one.
  constexpr std::size_t kDatagrams = 100;
  start_udp("workers = 2\n[turn]\nreads = 1\n" + udp_config("127.0.0.1"));
  std::vector<UdpPeer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(udp_peer());
  }
  daemon().freeze();
  for (const UdpPeer& peer : peers) {
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      peer.send(numbered(i, 20));
    }
  }
  daemon().signal(SIGTERM);
  daemon().thaw();
  for (const UdpPeer& peer : peers) {
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      EXPECT_EQ(peer.receive().bytes, numbered(i, 20));
    }
  }
  daemon().finish_stopped();
}

TEST_F(DatagramTest, AnotherProgramOnThePortIsNamedAtStart) {
  const PassedListener other(SOCK_DGRAM);
  const TemporaryDirectory directory;
  write_file(directory.file("echod.toml"), udp_config("127.0.0.1", other.port()));
  const ChildResult result =
      run_echod({"--config", directory.file("echod.toml"), "--log-file", ""});
  EXPECT_EQ(result.exit_code, 69);
  EXPECT_NE(result.err.find("cannot listen on udp 127.0.0.1:" + std::to_string(other.port()) +
                            ": bind: Address already in use; find the program that holds the port "
                            "with: ss -uanp sport = :" +
                            std::to_string(other.port())),
            std::string::npos)
      << result.err;
}

TEST_F(DatagramTest, APassedSocketIsServedAndLeftOpen) {
  const PassedListener passed(SOCK_DGRAM);
  start(DaemonOptions{.config = udp_config("127.0.0.1", passed.port()), .passes = {passed.fd()}})
      .allow_log("raise net.core.rmem_max");
  ASSERT_EQ(daemon().datagram_port(), passed.port());
  const UdpPeer peer = udp_peer();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().finish();
  peer.send("for the next process");
  std::array<char, 64> bytes{};
  EXPECT_EQ(recv(passed.fd(), bytes.data(), bytes.size(), 0), 20);
}

// The kernel does not note the address that was asked, because nobody had asked for it yet.
TEST_F(DatagramTest, WhatAPassedSocketGotBeforeTheStartIsEchoed) {
  const PassedListener passed(SOCK_DGRAM);
  const UdpPeer early("127.0.0.1", passed.port());
  early.send("starts it");
  start(DaemonOptions{.config = udp_config("127.0.0.1", passed.port()), .passes = {passed.fd()}})
      .allow_log("raise net.core.rmem_max");
  EXPECT_EQ(early.receive().bytes, "starts it");
}

// Forged datagrams, by a raw socket.
class DatagramRootTest : public DatagramFixture {
 protected:
  // Sends a datagram from `source` to the daemon, whoever has that address.
  void forge(const std::string& source, std::uint16_t source_port, const std::string& target) {
    struct {
      iphdr ip;
      udphdr udp;
      std::array<char, 5> bytes;
    } packet{};
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_UDP;
    packet.ip.saddr = inet_addr(source.c_str());
    packet.ip.daddr = inet_addr(target.c_str());
    packet.udp.source = htons(source_port);
    packet.udp.dest = htons(daemon().datagram_port());
    packet.udp.len = htons(sizeof packet.udp + sizeof packet.bytes);
    std::copy_n("forge", packet.bytes.size(), packet.bytes.begin());
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = packet.ip.daddr;
    constexpr std::size_t kBytes = sizeof packet.ip + sizeof packet.udp + sizeof packet.bytes;
    const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    EXPECT_EQ(sendto(fd, &packet, kBytes, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(kBytes));
    (void)close(fd);
  }
};

TEST_F(DatagramRootTest, TwoEchodsPointedAtEachOtherStaySilent) {
  start_udp(udp_config("127.0.0.1"));
  const std::uint16_t port = daemon().datagram_port();
  DaemonProcess other({.config = udp_config("127.0.0.2", port)});
  other.allow_log("raise net.core.rmem_max");
  forge("127.0.0.2", port, "127.0.0.1");
  daemon().expect_counter("datagrams_dropped_own_port", 1);
  EXPECT_TRUE(udp_peer().echoes("hello"));
  daemon().expect_counter("datagrams_echoed", 1);
  other.expect_counter("datagrams_received", 0);
  other.finish();
}

TEST_F(DatagramRootTest, SourcePortsOfServicesAndPortZeroAreNotAnswered) {
  start_udp(udp_config("127.0.0.1"));
  for (const std::uint16_t port : std::to_array<std::uint16_t>({7, 19, 53, 1023, 2049})) {
    forge("127.0.0.1", port, "127.0.0.1");
  }
  forge("127.0.0.1", 0, "127.0.0.1");
  daemon().wait_for_counter("datagrams_received", 6);
  daemon().expect_counter("datagrams_dropped_service_port", 5);
  daemon().expect_counter("datagrams_dropped_port_zero", 1);
  daemon().expect_counter("datagrams_echoed", 0);
}

}  // namespace
}  // namespace echod::test
