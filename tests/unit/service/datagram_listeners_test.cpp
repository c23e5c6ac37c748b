// UDP sockets that a program opens for its workers, and hands over to the next one.
#include "service/datagram_listeners.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "allocations.hpp"
#include "service/exit_codes.hpp"
#include "service/restored_listeners.hpp"
#include "socket_option.hpp"
#include "udp_peer.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

const SocketOptions kSmall{.receive_buffer_kib = 64};

ListenConfig udp_at(const char* host, std::uint16_t port = 0) {
  return {.protocol = Protocol::udp, .address = *SocketAddress::parse(host, port)};
}

Config config_of(const std::vector<ListenConfig>& listen) {
  Config config;
  config.listen = listen;
  return config;
}

class DatagramListenersTest : public WorkersFixture {
 protected:
  // The states with descriptors that the caller owns, as after execve(2).
  static std::vector<ListenerState> copies(const std::vector<ListenerState>& states) {
    std::vector<ListenerState> result = states;
    for (ListenerState& state : result) {
      state.fd = fcntl(state.fd, F_DUPFD_CLOEXEC, 0);
    }
    return result;
  }
  static std::vector<ListenerState> states(const DatagramSockets& sockets) {
    return copies(states_of({sockets}, config_of({wanted_})));
  }
  static std::uint16_t port_of(const DatagramSockets& sockets) {
    return sockets.front()->address.port();
  }

  static inline const ListenConfig wanted_ = udp_at("127.0.0.1");
};

TEST_F(DatagramListenersTest, EachWorkerHasASocketOfTheSameAddress) {
  const DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 3);
  ASSERT_EQ(sockets.size(), 3U);
  for (const auto& socket : sockets) {
    EXPECT_EQ(socket->address, sockets.front()->address);
    EXPECT_EQ(socket->receive_buffer_bytes, 2U * 64 * 1024);
  }
  EXPECT_EQ(ports_of({sockets}), std::vector<std::uint16_t>{port_of(sockets)});
  EXPECT_THROW((void)open_datagram_sockets(udp_at("127.0.0.1", port_of(sockets)), kSmall, 1),
               std::system_error);
}

TEST_F(DatagramListenersTest, AreDescribedWithTheirAddressesAndOneRecordForEachSocket) {
  const DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 2);
  const ListenConfig tcp{.address = *SocketAddress::parse("127.0.0.1", 7)};
  const std::vector<ListenerState> states = states_of({sockets}, config_of({tcp, wanted_}));
  ASSERT_EQ(states.size(), 2U);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const ListenerState expected{.fd = sockets[i]->fd.get(),
                                 .wanted = wanted_.address,
                                 .address = sockets[i]->address,
                                 .protocol = Protocol::udp};
    EXPECT_EQ(states[i], expected);
  }
  EXPECT_EQ(datagram_ports_of(states), std::vector<std::uint16_t>(2, port_of(sockets)));
}

TEST_F(DatagramListenersTest, TheSocketsOfAListenerAreAGroupAndTcpListenersAreAlone) {
  const SocketAddress one = *SocketAddress::parse("127.0.0.1", 7);
  const SocketAddress other = *SocketAddress::parse("127.0.0.2", 7);
  const ListenerState tcp{.wanted = one, .address = one};
  const ListenerState udp{.wanted = one, .address = one, .protocol = Protocol::udp};
  const ListenerState more{.wanted = other, .address = other, .protocol = Protocol::udp};
  EXPECT_EQ(groups_of({tcp, tcp, udp, more, udp}),
            (std::vector<ListenerGroup>{{tcp}, {tcp}, {udp, udp}, {more}}));
}

TEST_F(DatagramListenersTest, SocketsAreTakenOverWithTheirQueues) {
  const auto workers = make(2);
  DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 2);
  std::vector<UdpPeer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.emplace_back("127.0.0.1", port_of(sockets));
    peers.back().send("waiting");
  }
  const std::vector<ListenerState> open = states(sockets);
  sockets.clear();
  const RestoredDatagrams restored = restore_datagrams(open, wanted_, kSmall, 2);
  EXPECT_EQ(restored.trouble, "");
  ASSERT_EQ(restored.sockets.size(), 2U);
  workers->set_datagram_ports(ports_of({restored.sockets}));
  for (std::size_t i = 0; i < 2; ++i) {
    workers->at(i).listen(restored.sockets[i]);
  }
  workers->start();
  for (const UdpPeer& peer : peers) {
    EXPECT_EQ(peer.receive().bytes, "waiting");
  }
}

TEST_F(DatagramListenersTest, MoreWorkersGetMoreSocketsAndFewerKeepAll) {
  const DatagramSockets two = open_datagram_sockets(wanted_, kSmall, 2);
  const SocketOptions other{.receive_buffer_kib = 32};
  const RestoredDatagrams more = restore_datagrams(states(two), wanted_, other, 4);
  EXPECT_EQ(more.trouble, "");
  EXPECT_EQ(more.sockets.size(), 4U);
  for (const auto& socket : more.sockets) {
    EXPECT_EQ(socket->address, two.front()->address);
    EXPECT_EQ(option_of(socket->fd.get(), SOL_SOCKET, SO_RCVBUF), 2 * 32 * 1024);
  }
  const RestoredDatagrams fewer = restore_datagrams(states(two), wanted_, kSmall, 1);
  EXPECT_EQ(fewer.sockets.size(), 2U);
}

TEST_F(DatagramListenersTest, SaysHowManySocketsItHasIfMoreCannotBeOpened) {
  const DatagramSockets one = open_datagram_sockets(wanted_, kSmall, 1);
  // Without this option no other socket may share the address.
  const int off = 0;
  ASSERT_EQ(setsockopt(one.front()->fd.get(), SOL_SOCKET, SO_REUSEPORT, &off, sizeof off), 0);
  const RestoredDatagrams restored = restore_datagrams(states(one), wanted_, kSmall, 2);
  EXPECT_EQ(restored.trouble, "has 1 of 2 sockets: bind: Address already in use");
  EXPECT_EQ(restored.sockets.size(), 1U);
}

TEST_F(DatagramListenersTest, SaysThatItKeepsOptionsIfTheyCannotBeChanged) {
  const DatagramSockets one = open_datagram_sockets(wanted_, kSmall, 1);
  std::vector<ListenerState> open = states(one);
  open.front().is_passed = true;
  close(open.front().fd);
  open.front().fd = eventfd(0, EFD_CLOEXEC);  // No socket, so it has no option to set.
  const RestoredDatagrams restored = restore_datagrams(open, wanted_, kSmall, 1);
  EXPECT_EQ(restored.trouble, "keeps its old options: SO_RCVBUF: Socket operation on non-socket");
}

TEST_F(DatagramListenersTest, ThrowBadAllocWhereverMemoryRunsOutWhenTheyAreTakenOver) {
  const DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 1);
  for (std::uint64_t spared = 0;; ++spared) {
    const std::vector<ListenerState> open = states(sockets);
    try {
      const AllocationFailure none_left(0, spared);
      (void)restore_datagrams(open, wanted_, kSmall, 1);
      EXPECT_GT(spared, 2U);
      return;
    } catch (const std::bad_alloc&) {
      continue;
    }
  }
}

TEST_F(DatagramListenersTest, APassedSocketStaysAlone) {
  std::vector<ListenerState> open = states(open_datagram_sockets(wanted_, kSmall, 1));
  open.front().is_passed = true;
  open.front().dropped_before = 3;
  const RestoredDatagrams restored = restore_datagrams(open, wanted_, kSmall, 4);
  ASSERT_EQ(restored.sockets.size(), 1U);
  EXPECT_TRUE(restored.sockets.front()->is_passed);
  EXPECT_EQ(restored.sockets.front()->dropped_before, 3U);
}

TEST_F(DatagramListenersTest, WhatWaitsAtARemovedOneIsEchoedOnce) {
  const auto workers = make(2);
  DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 3);
  const std::uint16_t port = port_of(sockets);
  workers->set_datagram_ports({port});
  std::vector<UdpPeer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.emplace_back("127.0.0.1", port);
    peers.back().send("waiting");
  }
  const std::vector<ListenerState> open = states(sockets);
  sockets.clear();
  EXPECT_TRUE(empty_and_close(open, *workers));
  for (const UdpPeer& peer : peers) {
    EXPECT_EQ(peer.receive().bytes, "waiting");
  }
  for (const ListenerState& state : open) {
    EXPECT_FALSE(is_open_descriptor(state.fd));
  }
  EXPECT_EQ(count_of(*workers, Counter::datagrams_echoed), 8U);
  (void)open_datagram_sockets(udp_at("127.0.0.1", port), kSmall, 1);  // The address is free.
}

TEST_F(DatagramListenersTest, WhatWaitsAtARemovedPassedSocketStays) {
  const auto workers = make(1);
  const DatagramSockets sockets = open_datagram_sockets(wanted_, kSmall, 1);
  const UdpPeer peer("127.0.0.1", port_of(sockets));
  peer.send("waiting");
  std::vector<ListenerState> open = states(sockets);
  open.front().is_passed = true;
  EXPECT_TRUE(empty_and_close(open, *workers));
  EXPECT_FALSE(is_open_descriptor(open.front().fd));
  EXPECT_GT(sys::datagram_queue(sockets.front()->fd.get()).used_bytes, 0U);
}

TEST_F(DatagramListenersTest, AnUpgradeIsRefusedIfAnotherProgramHasThePort) {
  const DatagramSockets open = open_datagram_sockets(wanted_, kSmall, 2);
  const DatagramSockets foreign = open_datagram_sockets(wanted_, kSmall, 1);
  const auto refusal = [&](std::uint16_t port) -> std::string {
    try {
      require_listenable(config_of({udp_at("127.0.0.1", port)}),
                         states_of({open}, config_of({wanted_})));
      return "";
    } catch (const StartupError& error) {
      return error.what();
    }
  };
  EXPECT_TRUE(refusal(port_of(foreign)).starts_with("cannot listen on udp 127.0.0.1:"));
  EXPECT_EQ(refusal(0), "");
  // The socket that has this port will be closed.
  EXPECT_EQ(refusal(port_of(open)), "");
}

}  // namespace
}  // namespace echod::test
