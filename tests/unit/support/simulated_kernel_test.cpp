// What the simulated kernel is trusted for, each case on a connection of the real kernel too.
#include "simulated_kernel.hpp"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "files.hpp"
#include "passed_listener.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

constexpr std::uint32_t kIn = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kOut = EPOLLOUT | EPOLLET;
constexpr std::size_t kMany = std::size_t{64} * 1024;

// The daemon's end of a connection, and the client at the other. A negative result is an errno.
class RealPair {
 public:
  RealPair() : RealPair(false) {}
  explicit RealPair(bool is_local) {
    if (is_local) {
      connect_local();
      return;
    }
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const int on = 1;
    if (::bind(listener, generic, length) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, generic, &length) != 0 ||
        ::setsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) != 0) {
      throw std::runtime_error("no listener");
    }
    client_ = std::make_unique<TcpPeer>("127.0.0.1", ntohs(address.sin_port));
    fd_ = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    (void)::close(listener);
  }
  ~RealPair() {
    (void)::close(fd_);
    (void)::close(epoll_);
  }
  RealPair(const RealPair&) = delete;
  RealPair& operator=(const RealPair&) = delete;

  void add(std::uint32_t mask) { control(EPOLL_CTL_ADD, mask); }
  void modify(std::uint32_t mask) { control(EPOLL_CTL_MOD, mask); }
  // What epoll_wait(2) reports at once, 0 if nothing.
  std::uint32_t events() {
    epoll_event event{};
    return ::epoll_wait(epoll_, &event, 1, 0) == 1 ? event.events : 0;
  }
  std::int64_t receive(std::size_t bytes, int flags = 0) {
    return result(::recv(fd_, buffer_.data(), bytes, flags));
  }
  std::int64_t discard(std::size_t bytes) { return result(::recv(fd_, nullptr, bytes, MSG_TRUNC)); }
  std::int64_t discard_nowhere() { return discard(1); }
  std::int64_t discard_into(std::size_t bytes) { return receive(bytes, MSG_TRUNC); }
  std::int64_t send(std::size_t bytes) {
    return result(::send(fd_, buffer_.data(), bytes, MSG_NOSIGNAL));
  }
  // Until EAGAIN, and until the client's kernel takes no more either.
  void fill() {
    wait_until("a full connection", [this] {
      while (send(kMany) > 0) {
      }
      const int before = queued(SIOCOUTQ);
      return before > 0 && before == queued(SIOCOUTQ) && send(1) == -EAGAIN;
    });
  }
  std::int64_t shut_write() { return result(::shutdown(fd_, SHUT_WR)); }
  int take_error() {
    int error = 0;
    socklen_t length = sizeof error;
    (void)::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }
  int unread() { return queued(SIOCINQ); }
  int unacknowledged() { return queued(SIOCOUTQ); }

  // Whether a read of these bytes reports that control data did not fit.
  bool stops_at_descriptor(std::int64_t bytes) {
    iovec piece{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    EXPECT_EQ(::recvmsg(fd_, &message, 0), bytes);
    return (message.msg_flags & MSG_CTRUNC) != 0;
  }
  void client_sends_with_each_second_descriptor(int bytes) {
    for (int i = 0; i < bytes; ++i) {
      if (i % 2 == 0) {
        client_->send_all("x");
      } else {
        client_->send_with_descriptor('x');
      }
    }
  }
  void client_sends(int bytes) {
    const int wanted = unread() + bytes;
    client_->send_all(std::string(static_cast<std::size_t>(bytes), 'x'));
    wait_until("bytes", [&] { return unread() == wanted; });
  }
  void client_sends_urgent() {
    const int wanted = unread() + 1;
    client_->send_urgent('u');
    wait_until("the urgent byte", [&] { return unread() == wanted; });
  }
  void client_finishes() {
    client_->half_close();
    wait_until("FIN", [this] { return is_pending(POLLRDHUP); });
  }
  void client_resets() {
    client_->reset();
    wait_until("RST", [this] { return is_pending(POLLHUP); });
  }
  void client_takes_all() {
    wait_until("an empty send queue", [this] {
      while (client_->has_news() && ::recv(client_->fd(), buffer_.data(), buffer_.size(), 0) > 0) {
      }
      return unacknowledged() == 0;
    });
  }

 private:
  void connect_local() {
    const TemporaryDirectory directory;
    const PassedListener listener(directory.file("a.sock"));
    client_ = std::make_unique<TcpPeer>(directory.file("a.sock"));
    fd_ = ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK);
  }
  static std::int64_t result(ssize_t returned) { return returned < 0 ? -errno : returned; }
  void control(int operation, std::uint32_t mask) {
    epoll_event event{};
    event.events = mask;
    ASSERT_EQ(::epoll_ctl(epoll_, operation, fd_, &event), 0);
  }
  int queued(unsigned long request) {
    int bytes = 0;
    (void)::ioctl(fd_, request, &bytes);
    return bytes;
  }
  bool is_pending(short events) {
    pollfd asked{.fd = fd_, .events = events, .revents = 0};
    return ::poll(&asked, 1, 0) == 1 && (asked.revents & events) != 0;
  }

  std::unique_ptr<TcpPeer> client_;
  int fd_ = -1;
  int epoll_ = ::epoll_create1(0);
  std::array<char, kMany> buffer_{};
};

class SimulatedPair : private Outside {
 public:
  SimulatedPair() : SimulatedPair(false) {}
  explicit SimulatedPair(bool is_local)
      : kernel_(*this, {.receive_bytes = 100, .send_bytes = 100, .is_local = is_local}, 100) {
    kernel_.allow_everything();
  }

  void add(std::uint32_t mask) { control(true, mask); }
  void modify(std::uint32_t mask) { control(false, mask); }
  std::uint32_t events() {
    epoll_event event{};
    return kernel_.on_wait({&event, 1}, 0) == 1 ? event.events : 0;
  }
  std::int64_t receive(std::size_t bytes, int flags = 0) {
    return socket().receive(std::span(buffer_).first(bytes), flags == MSG_PEEK);
  }
  std::int64_t discard(std::size_t bytes) {
    std::vector<std::byte> scratch(bytes);
    return socket().discard(scratch);
  }
  std::int64_t discard_nowhere() { return socket().discard(std::span<std::byte>()); }
  std::int64_t discard_into(std::size_t bytes) { return discard(bytes); }
  std::int64_t send(std::size_t bytes) { return socket().send(bytes, bytes); }
  void fill() {
    while (send(kMany) > 0) {
    }
  }
  std::int64_t shut_write() { return kernel_.on_shutdown(fd_); }
  int take_error() { return socket().take_error(); }
  int unread() { return static_cast<int>(socket().unread()); }
  int unacknowledged() { return static_cast<int>(socket().send_queue()); }

  bool stops_at_descriptor(std::int64_t bytes) {
    EXPECT_EQ(socket().receive(buffer_, false), bytes);
    return socket().stopped_at_descriptor();
  }
  void client_sends_with_each_second_descriptor(int bytes) { client_sends(bytes); }
  void client_sends(int bytes) {
    for (int i = 0; i < bytes; ++i) {
      kernel_.act(Act::send, 0);
    }
  }
  void client_sends_urgent() { kernel_.act(Act::send_urgent, 0); }
  void client_finishes() { kernel_.act(Act::finish, 0); }
  void client_resets() { kernel_.act(Act::reset, 0); }
  void client_takes_all() {
    while (kernel_.can(Act::take, 0)) {
      kernel_.act(Act::take, 0);
    }
  }

 private:
  void on_call(Call /*call*/) noexcept override {}
  bool on_block() noexcept override { return false; }
  // The socket itself, so that calls need not be those of an echo.
  SimulatedSocket& socket() { return const_cast<SimulatedSocket&>(kernel_.socket(0)); }
  void control(bool is_new, std::uint32_t mask) {
    epoll_event event{};
    event.events = mask;
    ASSERT_EQ(kernel_.on_register(fd_, is_new, event), 0);
  }

  SimulatedKernel kernel_;
  int fd_ = kernel_.connect();
  std::array<std::byte, kMany> buffer_{};
};

template <typename Pair>
class KernelTest : public testing::Test {
 protected:
  Pair pair_;
};
using Pairs = testing::Types<SimulatedPair, RealPair>;
TYPED_TEST_SUITE(KernelTest, Pairs);

TYPED_TEST(KernelTest, AddReportsOnceWhatIsPending) {
  auto& pair = this->pair_;
  pair.client_sends(1);
  pair.add(kIn);
  EXPECT_EQ(pair.events(), EPOLLIN);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_sends(1);
  EXPECT_EQ(pair.events(), EPOLLIN);
}

TYPED_TEST(KernelTest, ModifyReportsAgainWhatIsPendingThoughTheMaskIsTheSame) {
  auto& pair = this->pair_;
  pair.client_sends(1);
  pair.add(kIn);
  EXPECT_EQ(pair.events(), EPOLLIN);
  pair.modify(kIn);
  EXPECT_EQ(pair.events(), EPOLLIN);
}

TYPED_TEST(KernelTest, DataAndFinRaiseNothingWhileOutIsWaitedForAndAreReportedAtTheModBack) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  pair.modify(kOut);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_sends(1);
  pair.client_finishes();
  EXPECT_EQ(pair.events(), 0U);
  pair.modify(kIn);
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP);
}

TYPED_TEST(KernelTest, RoomIsReportedOnceWhenItComes) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  pair.modify(kOut);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_takes_all();
  EXPECT_EQ(pair.events(), EPOLLOUT);
  EXPECT_EQ(pair.events(), 0U);
}

TYPED_TEST(KernelTest, RoomThatCameBeforeTheFlipIsReportedAfterIt) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  pair.client_takes_all();
  pair.modify(kOut);
  EXPECT_EQ(pair.events(), EPOLLOUT);
}

TYPED_TEST(KernelTest, AFinIsReportedWithTheRoomThatThereIs) {
  auto& pair = this->pair_;
  pair.add(kOut);
  EXPECT_EQ(pair.events(), EPOLLOUT);
  pair.client_finishes();
  EXPECT_EQ(pair.events(), EPOLLOUT);  // The change of state wakes whatever the mask is.
}

TYPED_TEST(KernelTest, AResetWhileOutIsWaitedForIsReportedOnce) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  pair.modify(kOut);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_resets();
  EXPECT_EQ(pair.events(), EPOLLOUT | EPOLLERR | EPOLLHUP);
  EXPECT_EQ(pair.events(), 0U);
  EXPECT_EQ(pair.send(1), -ECONNRESET);
  EXPECT_EQ(pair.send(1), -EPIPE);
}

TYPED_TEST(KernelTest, AfterAResetTheDataComesThenTheErrorThenTheEnd) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.client_sends(2);
  pair.client_resets();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.receive(10), -ECONNRESET);
  EXPECT_EQ(pair.receive(10), 0);
  EXPECT_EQ(pair.shut_write(), -ENOTCONN);
}

TYPED_TEST(KernelTest, AResetThatSendTookLooksLikeACleanEnd) {
  auto& pair = this->pair_;
  pair.client_sends(2);
  pair.client_resets();
  EXPECT_EQ(pair.send(1), -ECONNRESET);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.receive(10), 0);
}

// The case that the state lingering has to ask about.
TYPED_TEST(KernelTest, RecvTellsNothingOfAResetBehindTheFin) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  EXPECT_EQ(pair.shut_write(), 0);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_finishes();
  pair.client_resets();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
  EXPECT_EQ(pair.receive(10), 0);
  EXPECT_EQ(pair.receive(10), 0);
  EXPECT_GT(pair.unacknowledged(), 0);
  EXPECT_EQ(pair.events(), 0U);
  EXPECT_EQ(pair.take_error(), ECONNRESET);
  EXPECT_EQ(pair.take_error(), 0);
}

TYPED_TEST(KernelTest, AResetAfterTheFinIsABrokenPipe) {
  auto& pair = this->pair_;
  pair.client_finishes();
  pair.client_resets();
  EXPECT_EQ(pair.receive(10), 0);
  EXPECT_EQ(pair.take_error(), EPIPE);
}

TYPED_TEST(KernelTest, AReadStopsAtAnUrgentMarkAndTheNextBeginsThere) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.client_sends(2);
  pair.client_sends_urgent();
  pair.client_sends(1);
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLPRI);
  EXPECT_EQ(pair.receive(10, MSG_PEEK), 2);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.receive(10, MSG_PEEK), 2);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.receive(10), -EAGAIN);
  pair.client_sends(1);
  EXPECT_EQ(pair.events(), EPOLLIN);
}

TYPED_TEST(KernelTest, APeekLeavesTheBytesAndADiscardTakesThem) {
  auto& pair = this->pair_;
  pair.client_sends(3);
  EXPECT_EQ(pair.receive(2, MSG_PEEK), 2);
  EXPECT_EQ(pair.unread(), 3);
  EXPECT_EQ(pair.discard(2), 2);
  EXPECT_EQ(pair.unread(), 1);
  EXPECT_EQ(pair.discard(10), 1);
  EXPECT_EQ(pair.discard(10), -EAGAIN);
}

TYPED_TEST(KernelTest, OurFinCountsAsOneByteUntilItIsAcknowledged) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  const int before = pair.unacknowledged();
  EXPECT_EQ(pair.shut_write(), 0);
  EXPECT_EQ(pair.unacknowledged(), before + 1);
  EXPECT_EQ(pair.send(1), -EPIPE);
  pair.client_finishes();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  pair.client_takes_all();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  EXPECT_EQ(pair.unacknowledged(), 0);
}

TYPED_TEST(KernelTest, OurShutdownReportsAgainWhatIsPending) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.client_sends(1);
  EXPECT_EQ(pair.events(), EPOLLIN);
  EXPECT_EQ(pair.shut_write(), 0);
  EXPECT_EQ(pair.events(), EPOLLIN);
}

// What is ready on one epoll instance: which connections, in which order.
class RealCrowd {
 public:
  RealCrowd() {
    for (const int fd : fds_) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLET;
      event.data.fd = fd;
      EXPECT_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), 0);
    }
  }
  ~RealCrowd() {
    for (const int fd : fds_) {
      (void)::close(fd);
    }
    (void)::close(epoll_);
  }
  RealCrowd(const RealCrowd&) = delete;
  RealCrowd& operator=(const RealCrowd&) = delete;

  void send_to(std::size_t number) { EXPECT_EQ(::eventfd_write(fds_.at(number), 1), 0); }
  std::string wait(int most) {
    std::array<epoll_event, 8> events{};
    std::string numbers;
    const int count = ::epoll_wait(epoll_, events.data(), most, 0);
    for (int i = 0; i < count; ++i) {
      const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
      numbers += std::to_string(std::find(fds_.begin(), fds_.end(), fd) - fds_.begin());
    }
    return numbers;
  }

 private:
  std::array<int, 4> fds_{::eventfd(0, EFD_NONBLOCK), ::eventfd(0, EFD_NONBLOCK),
                          ::eventfd(0, EFD_NONBLOCK), ::eventfd(0, EFD_NONBLOCK)};
  int epoll_ = ::epoll_create1(0);
};

class SimulatedCrowd : private Outside {
 public:
  SimulatedCrowd() {
    for (std::uint64_t number = 0; number < 4; ++number) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLET;
      event.data.u64 = number;
      EXPECT_EQ(kernel_.on_register(kernel_.connect(), true, event), 0);
    }
  }

  void send_to(std::size_t number) { kernel_.act(Act::send, number); }
  std::string wait(int most) {
    std::array<epoll_event, 8> events{};
    std::string numbers;
    const int count = kernel_.on_wait(std::span(events).first(static_cast<std::size_t>(most)), 0);
    for (int i = 0; i < count; ++i) {
      numbers += std::to_string(events.at(static_cast<std::size_t>(i)).data.u64);
    }
    return numbers;
  }

 private:
  void on_call(Call /*call*/) noexcept override {}
  bool on_block() noexcept override { return false; }

  SimulatedKernel kernel_{*this, {.receive_bytes = 100, .send_bytes = 100}, 100};
};

template <typename Crowd>
class KernelCrowdTest : public testing::Test {
 protected:
  Crowd crowd_;
};
using Crowds = testing::Types<SimulatedCrowd, RealCrowd>;
TYPED_TEST_SUITE(KernelCrowdTest, Crowds);

TYPED_TEST(KernelCrowdTest, EventsAreReportedInTheOrderInWhichTheyCame) {
  auto& crowd = this->crowd_;
  for (const std::size_t number : {2U, 0U, 3U, 2U, 1U}) {
    crowd.send_to(number);
  }
  EXPECT_EQ(crowd.wait(8), "2031");
  EXPECT_EQ(crowd.wait(8), "");
}

TYPED_TEST(KernelCrowdTest, EventsThatDidNotFitAreReportedBeforeThoseThatCameLater) {
  auto& crowd = this->crowd_;
  for (const std::size_t number : {2U, 0U, 3U}) {
    crowd.send_to(number);
  }
  EXPECT_EQ(crowd.wait(2), "20");
  crowd.send_to(2);
  crowd.send_to(1);
  crowd.send_to(3);
  EXPECT_EQ(crowd.wait(2), "32");
  EXPECT_EQ(crowd.wait(2), "1");
}

// UNIX sockets.

class RealLocalPair : public RealPair {
 public:
  RealLocalPair() : RealPair(true) {}
};
class SimulatedLocalPair : public SimulatedPair {
 public:
  SimulatedLocalPair() : SimulatedPair(true) {}
};

template <typename Pair>
class LocalKernelTest : public KernelTest<Pair> {};
using LocalPairs = testing::Types<SimulatedLocalPair, RealLocalPair>;
TYPED_TEST_SUITE(LocalKernelTest, LocalPairs);

TYPED_TEST(LocalKernelTest, AReadStopsAtADescriptorAndNoEventTellsOfTheRest) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.client_sends_with_each_second_descriptor(5);
  EXPECT_EQ(pair.events(), EPOLLIN);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.events(), 0U);
  EXPECT_EQ(pair.receive(10), 2);
  EXPECT_EQ(pair.receive(10), 1);
  EXPECT_EQ(pair.receive(10), -EAGAIN);
}

TYPED_TEST(LocalKernelTest, RecvmsgReportsThatItStoppedAtADescriptor) {
  auto& pair = this->pair_;
  pair.client_sends_with_each_second_descriptor(5);
  EXPECT_TRUE(pair.stops_at_descriptor(2));
  EXPECT_TRUE(pair.stops_at_descriptor(2));
  EXPECT_FALSE(pair.stops_at_descriptor(1));
}

TYPED_TEST(LocalKernelTest, ADiscardNeedsMemory) {
  auto& pair = this->pair_;
  pair.client_sends(1);
  EXPECT_EQ(pair.discard_nowhere(), -EFAULT);
  EXPECT_EQ(pair.unread(), 1);
  EXPECT_EQ(pair.discard_into(10), 1);
  EXPECT_EQ(pair.unread(), 0);
}

TYPED_TEST(LocalKernelTest, TheSendQueueIsCountedInMemoryAndIsZeroWhenAllIsTaken) {
  auto& pair = this->pair_;
  EXPECT_EQ(pair.unacknowledged(), 0);
  EXPECT_EQ(pair.send(1), 1);
  EXPECT_GT(pair.unacknowledged(), 1);
  pair.client_takes_all();
  EXPECT_EQ(pair.unacknowledged(), 0);
}

TYPED_TEST(LocalKernelTest, NoEventTellsThatTheClientHasTakenAll) {
  auto& pair = this->pair_;
  pair.add(kIn);
  EXPECT_EQ(pair.send(1), 1);
  pair.client_finishes();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP);
  EXPECT_EQ(pair.receive(1), 0);
  EXPECT_EQ(pair.shut_write(), 0);
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  pair.client_takes_all();
  EXPECT_EQ(pair.events(), 0U);
}

TYPED_TEST(LocalKernelTest, AClientThatClosesWithUnreadBytesIsAResetEvenBehindItsFin) {
  auto& pair = this->pair_;
  pair.add(kIn);
  EXPECT_EQ(pair.send(1), 1);
  pair.client_finishes();
  pair.client_resets();
  EXPECT_EQ(pair.events(), EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  EXPECT_EQ(pair.send(1), -EPIPE);
  EXPECT_EQ(pair.receive(1), -ECONNRESET);
  EXPECT_EQ(pair.receive(1), 0);
}

TYPED_TEST(LocalKernelTest, AFullSendQueueIsWritableWhenAllIsTaken) {
  auto& pair = this->pair_;
  pair.add(kIn);
  pair.fill();
  pair.modify(kOut);
  EXPECT_EQ(pair.events(), 0U);
  pair.client_takes_all();
  EXPECT_EQ(pair.events(), EPOLLOUT);
}

}  // namespace
}  // namespace echod::test
