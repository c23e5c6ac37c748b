// Listening sockets that the next program takes over, opens or closes.
#include "service/restored_listeners.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "files.hpp"
#include "local_socket.hpp"
#include "reserved_port.hpp"
#include "service/exit_codes.hpp"
#include "socket_option.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

using Matches = std::vector<std::optional<std::size_t>>;

SocketAddress address_of(const std::string& host, std::uint16_t port) {
  return SocketAddress::parse(host, port).value();
}

ListenConfig wanted_at(const std::string& host, std::uint16_t port, bool v6only = false) {
  return {.address = address_of(host, port), .v6only = v6only};
}

// Bound to another port than the configured one if that is 0.
ListenerState open_at(const std::string& host, std::uint16_t port, bool v6only = false) {
  return {.wanted = address_of(host, port),
          .address = address_of(host, port == 0 ? 40000 : port),
          .v6only = v6only};
}

TEST(ListenerMatchTest, AListenerServesItsAddressInAnyOrder) {
  const std::vector<ListenerState> open{open_at("127.0.0.1", 7), open_at("127.0.0.1", 8),
                                        open_at("::1", 7)};
  EXPECT_EQ(
      matches_of({wanted_at("::1", 7), wanted_at("127.0.0.1", 7), wanted_at("127.0.0.1", 9)}, open),
      (Matches{2, 0, std::nullopt}));
  EXPECT_EQ(matches_of({}, open), Matches{});
  EXPECT_EQ(matches_of({wanted_at("::1", 7)}, {}), Matches{std::nullopt});
}

TEST(ListenerMatchTest, PortZeroIsTheConfiguredPortNotTheBoundOne) {
  const std::vector<ListenerState> open{open_at("127.0.0.1", 0)};
  EXPECT_EQ(matches_of({wanted_at("127.0.0.1", 0)}, open), Matches{0});
  EXPECT_EQ(matches_of({wanted_at("127.0.0.1", 40000)}, open), Matches{std::nullopt});
}

TEST(ListenerMatchTest, V6onlyMattersForIpv6Only) {
  EXPECT_EQ(matches_of({wanted_at("::", 7, true)}, {open_at("::", 7, false)}),
            Matches{std::nullopt});
  EXPECT_EQ(matches_of({wanted_at("::", 7, true)}, {open_at("::", 7, true)}), Matches{0});
  EXPECT_EQ(matches_of({wanted_at("0.0.0.0", 7, true)}, {open_at("0.0.0.0", 7, false)}),
            Matches{0});
}

TEST(ListenerMatchTest, AListenerThatFellBackToIpv4ServesItsConfiguredAddress) {
  ListenerState open = open_at("::", 7);
  open.address = SocketAddress::any_v4(7);
  open.fell_back_to_v4 = true;
  EXPECT_EQ(matches_of({wanted_at("::", 7)}, {open}), Matches{0});
}

TEST(ListenerMatchTest, EachOpenOneServesAtMostOne) {
  const std::vector<ListenerState> two{open_at("::1", 0), open_at("::1", 0)};
  const ListenConfig wanted = wanted_at("::1", 0);
  EXPECT_EQ(matches_of({wanted, wanted, wanted}, two), (Matches{0, 1, std::nullopt}));
}

class RestoredListenersTest : public WorkersFixture {
 protected:
  // Returns the refusal, or "" if all could be served. Expects this exit code of a refusal.
  static std::string refusal_of(const std::vector<ListenConfig>& wanted,
                                const std::vector<ListenerState>& open,
                                ExitCode code = ExitCode::cannot_listen) {
    Config config;
    config.listen = wanted;
    try {
      require_listenable(config, open);
      return "";
    } catch (const StartupError& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
  }
  // The state of socket_.
  [[nodiscard]] ListenerState state() const {
    Config config;
    config.listen = {{.address = address_of("127.0.0.1", 0)}};
    return states_of({socket_}, {}, config).front();
  }
  // The same, with a descriptor that the caller owns.
  [[nodiscard]] ListenerState state_of_a_duplicate() const {
    ListenerState duplicate = state();
    duplicate.fd = fcntl(socket_->fd.get(), F_DUPFD_CLOEXEC, 0);
    return duplicate;
  }
  [[nodiscard]] std::uint16_t port() const { return socket_->address.port(); }
  [[nodiscard]] static bool is_refused_at(std::uint16_t port) {
    try {
      (void)TcpPeer("127.0.0.1", port);
      return false;
    } catch (const std::exception&) {
      return true;
    }
  }

  std::uint64_t free_ = 100;  // Descriptors for the clients of a leaving listener.
};

TEST_F(RestoredListenersTest, AreDescribedWithTheConfiguredAndTheBoundAddress) {
  Config config;
  config.listen = {{.address = address_of("127.0.0.1", 0), .v6only = true},
                   {.address = address_of("127.0.0.1", 7)}};
  const auto passed = std::make_shared<sys::ListenSocket>();
  passed->fd = sys::UniqueFd::adopt(fcntl(socket_->fd.get(), F_DUPFD_CLOEXEC, 0));
  passed->address = address_of("127.0.0.1", 7);
  passed->is_passed = true;
  passed->fell_back_to_v4 = true;
  passed->dropped_before = 3;
  const ListenerState first{.fd = socket_->fd.get(),
                            .wanted = address_of("127.0.0.1", 0),
                            .address = socket_->address,
                            .v6only = true};
  const ListenerState second{.fd = passed->fd.get(),
                             .wanted = address_of("127.0.0.1", 7),
                             .address = address_of("127.0.0.1", 7),
                             .is_passed = true,
                             .fell_back_to_v4 = true,
                             .dropped_before = 3};
  EXPECT_EQ(states_of({socket_, passed}, {}, config), (std::vector<ListenerState>{first, second}));
}

TEST_F(RestoredListenersTest, AFreeAddressCanBeServed) {
  const ReservedPort reserved;
  EXPECT_EQ(
      refusal_of({wanted_at("127.0.0.1", 0), wanted_at("127.0.0.1", reserved.port())}, {state()}),
      "");
}

TEST_F(RestoredListenersTest, AnAddressThatStaysIsNotTriedAgain) {
  ListenerState open = state();
  open.wanted = socket_->address;
  EXPECT_EQ(refusal_of({{.address = socket_->address}}, {open}), "");
}

TEST_F(RestoredListenersTest, AnAddressThatAnotherProgramHasIsRefused) {
  const std::string refusal = refusal_of({wanted_at("127.0.0.1", port())}, {});
  EXPECT_TRUE(refusal.starts_with("cannot listen on 127.0.0.1:" + std::to_string(port()) +
                                  ": bind: Address already in use"))
      << refusal;
}

TEST_F(RestoredListenersTest, AnAddressThatStaysElsewhereIsRefused) {
  // socket_ serves its own entry, and it has the port of the other.
  EXPECT_NE(refusal_of({wanted_at("127.0.0.1", 0), wanted_at("0.0.0.0", port())}, {state()}), "");
}

TEST_F(RestoredListenersTest, APortOfALeavingListenerWillBeFree) {
  ListenerState open = state();
  open.wanted = socket_->address;
  EXPECT_EQ(refusal_of({wanted_at("0.0.0.0", port())}, {open}), "");
}

TEST_F(RestoredListenersTest, AnAddressThatThisHostDoesNotHaveIsRefused) {
  const std::string refusal = refusal_of({wanted_at("192.0.2.1", 0)}, {state()});
  EXPECT_TRUE(refusal.starts_with("cannot listen on 192.0.2.1")) << refusal;
}

TEST_F(RestoredListenersTest, WithSocketActivationANewAddressIsRefused) {
  ListenerState open = state();
  open.is_passed = true;
  const std::string refusal = refusal_of({wanted_at("127.0.0.1", 0), wanted_at("127.0.0.2", 0)},
                                         {open}, ExitCode::configuration);
  EXPECT_TRUE(refusal.starts_with(
      "socket activation: [[listen]] 127.0.0.2:0 is not among the passed sockets"))
      << refusal;
}

TEST_F(RestoredListenersTest, WithSocketActivationALeavingAddressIsRefused) {
  ListenerState open = state();
  open.is_passed = true;
  const std::string refusal = refusal_of({}, {open}, ExitCode::configuration);
  EXPECT_TRUE(
      refusal.starts_with("socket activation: no [[listen]] is for the passed socket "
                          "127.0.0.1:" +
                          std::to_string(port())))
      << refusal;
  EXPECT_EQ(refusal_of({wanted_at("127.0.0.1", 0)}, {open}), "");
}

TEST_F(RestoredListenersTest, AreTakenOverWithTheNewBacklogAndOptions) {
  ListenerState open = state_of_a_duplicate();
  open.is_passed = true;
  open.fell_back_to_v4 = true;
  open.dropped_before = 9;
  ListenConfig wanted = wanted_at("127.0.0.1", 0);
  wanted.backlog = 5;
  const RestoredListener restored = restore_listener(
      open, wanted, {.no_delay = false, .keepalive_probes = 3, .receive_buffer_kib = 16});
  EXPECT_EQ(restored.trouble, "");
  const sys::ListenSocket& taken = restored.socket;
  EXPECT_EQ(taken.fd.get(), open.fd);
  EXPECT_EQ(taken.address, socket_->address);
  EXPECT_EQ(taken.backlog, 5);
  EXPECT_EQ(sys::accept_queue(open.fd).limit, 5U);
  EXPECT_TRUE(taken.is_passed);
  EXPECT_TRUE(taken.fell_back_to_v4);
  EXPECT_EQ(taken.dropped_before, 9U);
  EXPECT_EQ(option_of(open.fd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option_of(open.fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option_of(open.fd, SOL_SOCKET, SO_RCVBUF), 2 * 16 * 1024);
}

TEST_F(RestoredListenersTest, AListenerStaysOpenIfAnOptionCannotBeSet) {
  const ListenerState open = state_of_a_duplicate();
  constexpr int kMoreThanTheKernelAllows = 1000;
  const RestoredListener restored = restore_listener(
      open, wanted_at("127.0.0.1", 0), {.keepalive_probes = kMoreThanTheKernelAllows});
  EXPECT_EQ(restored.socket.fd.get(), open.fd);
  EXPECT_EQ(restored.trouble, "TCP_KEEPCNT: Invalid argument");
  EXPECT_TRUE(is_open_descriptor(open.fd));
}

TEST_F(RestoredListenersTest, ASocketThatCannotBeTakenOverIsClosed) {
  const int not_a_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ListenerState broken = state();
  broken.fd = not_a_socket;
  EXPECT_THROW((void)restore_listener(broken, wanted_at("127.0.0.1", 0), {}), std::system_error);
  EXPECT_FALSE(is_open_descriptor(not_a_socket));
}

TEST_F(RestoredListenersTest, ClientsThatWaitAtALeavingOneAreServedAndItIsClosed) {
  const auto workers = make(2);
  std::vector<TcpPeer> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect());
    clients.back().send_all("hello");
  }
  const ListenerState leaving = state_of_a_duplicate();
  socket_.reset();
  EXPECT_EQ(empty_and_close(leaving, *workers, free_), 0);
  EXPECT_FALSE(is_open_descriptor(leaving.fd)) << "or it is of another file";
  EXPECT_TRUE(is_refused_at(leaving.address.port()));
  workers->start();
  for (TcpPeer& client : clients) {
    EXPECT_EQ(client.receive_exactly(5), "hello");
  }
  EXPECT_EQ(count_of(*workers, Counter::accepted), 5U);
  EXPECT_EQ(workers->connections_of(0), 3U);
  EXPECT_EQ(workers->connections_of(1), 2U);
  EXPECT_EQ(workers->at(0).listener_counts().open(ListenerCounts::kRemoved), 3U);
}

TEST_F(RestoredListenersTest, ClientsOfALeavingOneAreResetWhenTheDescriptorsForThemAreUsedUp) {
  const auto workers = make(1);
  std::vector<TcpPeer> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect());
  }
  const ListenerState leaving = state_of_a_duplicate();
  socket_.reset();
  free_ = 3;
  EXPECT_EQ(empty_and_close(leaving, *workers, free_), EMFILE);
  EXPECT_EQ(free_, 0U);
  EXPECT_EQ(count_of(*workers, Counter::accepted), 3U);
  EXPECT_EQ(clients[4].receive_to_end().ending, Ending::reset);
}

TEST_F(RestoredListenersTest, ALeavingOneWithoutClientsIsClosed) {
  const auto workers = make(1);
  const ListenerState leaving = state_of_a_duplicate();
  socket_.reset();
  EXPECT_EQ(empty_and_close(leaving, *workers, free_), 0);
  EXPECT_TRUE(is_refused_at(leaving.address.port()));
  EXPECT_EQ(count_of(*workers, Counter::accepted), 0U);
}

TEST_F(RestoredListenersTest, ALeavingOneThatAnotherProcessHasOpenIsOnlyClosed) {
  const auto workers = make(1);
  TcpPeer client = connect();
  client.send_all("hello");
  ListenerState leaving = state_of_a_duplicate();
  leaving.is_passed = true;
  EXPECT_EQ(empty_and_close(leaving, *workers, free_), 0);
  EXPECT_FALSE(is_open_descriptor(leaving.fd));
  EXPECT_EQ(count_of(*workers, Counter::accepted), 0U);
  start(*workers);  // With socket_: the other process.
  EXPECT_EQ(client.receive_exactly(5), "hello");
}

// UNIX sockets.

TEST(ListenerMatchTest, APathIsServedByTheSamePathOnly) {
  const ListenerState open{.path = "/run/a.sock"};
  ListenConfig wanted;
  EXPECT_EQ(matches_of({wanted}, {open}), Matches{std::nullopt});
  wanted.path = "/run/a.sock";
  EXPECT_EQ(matches_of({wanted}, {open}), Matches{0});
  EXPECT_EQ(matches_of({wanted}, {open_at("::", kDefaultPort)}), Matches{std::nullopt});
  wanted.path = "/run/b.sock";
  EXPECT_EQ(matches_of({wanted}, {open}), Matches{std::nullopt});
}

class CarriedPathTest : public RestoredListenersTest {
 protected:
  CarriedPathTest() { paths_.emplace_back(local_options(wanted_)); }

  // The state, with descriptors that the caller owns.
  [[nodiscard]] ListenerState local_state() {
    sys::ListenSocket socket;
    socket.fd = sys::UniqueFd::adopt(fcntl(paths_[0].fd(), F_DUPFD_CLOEXEC, 0));
    socket.path = wanted_.path;
    Config config;
    config.listen = {wanted_};
    ListenerState state =
        states_of({std::make_shared<const sys::ListenSocket>(std::move(socket))}, paths_, config)
            .front();
    state.fd = fcntl(paths_[0].fd(), F_DUPFD_CLOEXEC, 0);
    state.lock_fd = fcntl(paths_[0].lock_fd(), F_DUPFD_CLOEXEC, 0);
    return state;
  }

  const TemporaryDirectory directory_;
  const ListenConfig wanted_{.path = directory_.file("a.sock")};
  std::vector<sys::LocalListener> paths_;
};

TEST_F(CarriedPathTest, IsTakenOverWithItsModeAndStays) {
  ListenConfig changed = wanted_;
  changed.mode = 0602;
  {
    const RestoredListener restored = restore_listener(local_state(), changed, {});
    EXPECT_EQ(restored.trouble, "");
    EXPECT_EQ(restored.socket.name, "unix:" + wanted_.path);
    EXPECT_EQ(restored.path.path(), wanted_.path);
    EXPECT_EQ(restored.path.file(), paths_[0].file());
    EXPECT_EQ(std::filesystem::status(wanted_.path).permissions(), std::filesystem::perms(0602));
    EXPECT_TRUE(connected_to_path(wanted_.path).is_open());
  }
  EXPECT_FALSE(std::filesystem::exists(wanted_.path));
}

TEST_F(CarriedPathTest, IsRemovedBeforeItsWaitingClientsAreServed) {
  const auto workers = make(1);
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.emplace_back(wanted_.path);
    waiting.back().send_all("waiting");
  }
  EXPECT_EQ(empty_and_close(local_state(), *workers, free_), 0);
  EXPECT_FALSE(std::filesystem::exists(wanted_.path));
  paths_.clear();
  workers->start();
  for (TcpPeer& peer : waiting) {
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
  }
}

// No client leaves the queue of a UNIX socket with such an error, so each further call has it too.
TEST_F(CarriedPathTest, AcceptingEndsWithAnErrorThatWouldRepeat) {
  const auto workers = make(1);
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(wanted_.path);
  }
  const ListenerState leaving = local_state();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const sys::UniqueFd lowest = sys::UniqueFd::adopt(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit lower{.rlim_cur = static_cast<rlim_t>(lowest.get()), .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  EXPECT_EQ(empty_and_close(leaving, *workers, free_), EMFILE);
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_LT(count_of(*workers, Counter::accepted), waiting.size());
}

TEST_F(CarriedPathTest, OneThatAnotherProcessServesIsRefused) {
  EXPECT_EQ(refusal_of({wanted_}, {local_state()}), "");
  const std::string refusal = refusal_of({wanted_}, {});
  EXPECT_TRUE(refusal.starts_with("cannot listen on unix:" + wanted_.path)) << refusal;
}

}  // namespace
}  // namespace echod::test
