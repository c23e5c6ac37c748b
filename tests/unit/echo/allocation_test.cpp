// What an echo costs in steady state, on real sockets: no allocation, and no epoll_ctl unless a
// reply did not fit (that is visible in the counter of flips).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "deadline.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "notify_socket.hpp"
#include "service/service_manager.hpp"
#include "service/standard_error.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

constexpr int kEchoes = 10'000;

class AllocationTest : public testing::Test {
 protected:
  static EchoSettings settings() {
    EchoSettings settings = echo_settings(Config{}, 100, 1);
    settings.log_lines_per_second = 100;
    return settings;
  }

  void serve(sys::UniqueFd fd) {
    ASSERT_TRUE(context_.table.reserve());
    shared_.admission.take_slot();
    shared_.admission.count_connection(context_.admission.worker);
    context_.table.create(context_, 0, std::move(fd), SocketAddress()).start();
  }
  void iterate() {
    loop_.run_once();
    context_.table.destroy_retired();
  }
  [[nodiscard]] std::uint64_t count(Counter counter) const {
    return context_.counters.get(counter);
  }

  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("none");
  EventLoop loop_;
  SharedState shared_{settings(), 1};
  EchoContext context_{loop_,
                       settings(),
                       logger_,
                       shared_.line_limits,
                       shared_.pinned_rounds,
                       {shared_.admission, 0}};
};

TEST_F(AllocationTest, TheCountSeesAllocations) {
  const std::uint64_t before = allocations();
  const auto something = std::make_unique<std::vector<int>>(10);
  EXPECT_EQ(allocations(), before + 2);
}

TEST_F(AllocationTest, TenThousandEchoesOverTcpAllocateNothing) {
  const sys::ListenSocket listener =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 1, false, {});
  const TcpPeer peer("127.0.0.1", listener.address.port());
  serve(sys::accept(listener.fd.get()).fd);
  const std::array<char, 64> message{};
  std::array<char, 64> reply{};
  const auto echo_once = [&] {
    ASSERT_EQ(send(peer.fd(), message.data(), message.size(), MSG_NOSIGNAL), 64);
    for (const std::uint64_t echoes = count(Counter::echoes); count(Counter::echoes) == echoes;) {
      iterate();
    }
    pollfd arrived{.fd = peer.fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&arrived, 1, Deadline().left_ms()), 1);
    ASSERT_EQ(recv(peer.fd(), reply.data(), reply.size(), 0), 64);
  };
  echo_once();
  const std::uint64_t before = allocations();
  for (int i = 0; i < kEchoes; ++i) {
    echo_once();
  }
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(count(Counter::echoes), kEchoes + 1U);
  EXPECT_EQ(count(Counter::flips_to_write), 0U);
}

TEST_F(AllocationTest, OnceWarmFlipsAllocateNothingEither) {
  constexpr std::size_t kChunk = 64 * 1024;
  constexpr std::uint64_t kFlips = 500;
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const sys::UniqueFd client = sys::UniqueFd::adopt(ends[0]);
  serve(sys::UniqueFd::adopt(ends[1]));
  std::vector<char> chunk(kChunk);
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  // Sends without reading until the echo is stuck, then reads without sending.
  const auto flip_once = [&] {
    const std::uint64_t flips = count(Counter::flips_to_write);
    while (count(Counter::flips_to_write) == flips) {
      const ssize_t taken = send(client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
      sent += taken > 0 ? static_cast<std::uint64_t>(taken) : 0;
      iterate();
    }
    while (received < sent) {
      const ssize_t got = recv(client.get(), chunk.data(), chunk.size(), 0);
      if (got > 0) {
        received += static_cast<std::uint64_t>(got);
      } else {
        ASSERT_EQ(errno, EAGAIN);
        iterate();  // Room has been made: OUT, or what its flip back raises.
      }
    }
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) {
    flip_once();
  }
  const std::uint64_t before = allocations();
  while (count(Counter::flips_to_write) < kFlips) {
    flip_once();
  }
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
  EXPECT_EQ(received, count(Counter::bytes_sent));
}

TEST_F(AllocationTest, AConnectionThatComesAndGoesAllocatesNothingInAChunkThatIsThere) {
  const auto come_and_go = [this] {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    serve(sys::UniqueFd::adopt(ends[1]));
    ASSERT_EQ(close(ends[0]), 0);
    const std::size_t alive = context_.table.size();
    while (context_.table.size() == alive) {
      iterate();
    }
  };
  come_and_go();
  const std::uint64_t before = allocations();
  for (int i = 0; i < 1000; ++i) {
    come_and_go();
  }
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(count(Counter::empty_connections), 1001U);
}

TEST(NotifierTest, TellsTheLoopWithoutAllocating) {
  EventLoop loop;
  int notified = 0;
  Notifier notifier(loop, [&notified] { ++notified; });
  const std::uint64_t before = allocations();
  for (int round = 1; round <= 3; ++round) {
    notifier.notify();
    while (notified < round) {
      loop.run_once();
    }
  }
  EXPECT_EQ(allocations(), before);
}

// What must go well when there is no memory.

TEST(WithoutMemoryTest, AReportOnStandardErrorGoesOutWhole) {
  const std::string line(5000, 'x');  // Longer than the part that is written at once.
  testing::internal::CaptureStderr();
  {
    const AllocationFailure no_memory;
    report_on_stderr(line, "echod: ");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "echod: " + line + '\n');
}

TEST(WithoutMemoryTest, TheServiceManagerIsToldOfTheEnd) {
  NotifySocket socket;
  (void)setenv("NOTIFY_SOCKET", socket.path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  {
    ServiceManager manager;
    const AllocationFailure no_memory;
    manager.ready();
    manager.stopping();
    manager.extend_timeout(std::chrono::seconds(10));
  }
  (void)unsetenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(socket.wait_for("READY=1"), "READY=1");
  EXPECT_EQ(socket.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(socket.wait_for("EXTEND_"), "EXTEND_TIMEOUT_USEC=10000000");
}

}  // namespace
}  // namespace echod::test
