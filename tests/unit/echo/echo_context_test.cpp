// New settings reach everything that uses them: the loop, the buffers, the log, the limits that
// workers share. worker_test has the thread that takes them over.
#include "echo/echo_context.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "echo/worker.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class NewSettingsTest : public EchoFixture {
 protected:
  void expect_echo(std::string_view bytes) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_recv(kFd, bytes);
    kernel_.expect_send(kFd, bytes);
    iterate();
  }

  EchoSettings settings_ = small_settings();
};

TEST_F(NewSettingsTest, HaveTheLoopLookForEventsBeforeItSleeps) {
  settings_.busy_poll = 50us;
  context_.apply(settings_);
  kernel_.expect_epoll_wait({}, 0).then([this] { kernel_.advance(50us); });
  kernel_.expect_epoll_wait({}, -1);
  iterate();
}

TEST_F(NewSettingsTest, AreInForceFromTheStart) {
  settings_.busy_poll = 50us;
  settings_.logs_echoes = true;
  SharedState shared(settings_, 1);
  EventLoop loop;
  const EchoContext context(loop, settings_, logger_, shared.line_limits, shared.pinned_rounds,
                            {shared.admission, 0});
  EXPECT_TRUE(context.log.logs_echoes());
  EXPECT_EQ(shared.admission.max_connections(), settings_.max_connections);
  kernel_.expect_epoll_wait({}, 0).then([this] { kernel_.advance(50us); });
  kernel_.expect_epoll_wait({}, -1);
  loop.run_once();
  kernel_.verify();
}

TEST_F(NewSettingsTest, AreTheSizeAndTheBoundOfTheBuffers) {
  settings_.block_bytes = 2 * kBlockBytes;
  settings_.buffer_bytes = 2 * kBlockBytes;
  context_.apply(settings_);
  connect(kFd);
  connect(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}});
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd, 1);
  kernel_.expect_modify(kFd, kWriting);
  kernel_.expect_peek(kOther, "without a buffer");
  kernel_.expect_send_any(kOther);
  kernel_.expect_discard(kOther, 16);
  iterate();
  EXPECT_EQ(kernel_.received(kFd).size(), 2 * kBlockBytes);
  EXPECT_EQ(context_.relay.buffered_bytes(), 2 * kBlockBytes);
}

TEST_F(NewSettingsTest, HaveALineWrittenForEachMessage) {
  connect(kFd);
  expect_echo("before");
  settings_.logs_echoes = true;
  context_.apply(settings_);
  expect_echo("after");
  EXPECT_FALSE(has_logged("in=6 "));
  EXPECT_TRUE(has_logged("in=5 ")) << log();
}

TEST_F(NewSettingsTest, BoundTheTurnsOfConnectionsThatAreOpen) {
  connect(kFd);
  settings_.turn_reads = 1;
  context_.apply(settings_);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd);
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1U);
}

TEST_F(NewSettingsTest, AreSharedByAllWorkers) {
  settings_.max_connections = 77;
  settings_.log_lines_per_second = 88;
  shared_.apply(settings_);
  EXPECT_EQ(shared_.admission.max_connections(), 77U);
  EXPECT_EQ(shared_.line_limits.per_second(), 88U);
}

}  // namespace
}  // namespace echod::test
