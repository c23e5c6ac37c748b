// Accepting on a scripted kernel that refuses calls. http_server_test uses the real kernel.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "admin/http_server.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr int kAdminListener = 3;
constexpr int kFirstAdmin = 10;

class ErrorRecorder final : public HttpHandler {
 public:
  void on_request(RequestId /*id*/, Access /*access*/, const HttpRequest& /*request*/) override {}
  void on_accept_paused(Access access, int error) noexcept override {
    EXPECT_EQ(access, Access::read_only);
    pauses.push_back(error);
  }
  void on_listener_lost(Access access, int error) noexcept override {
    EXPECT_EQ(access, Access::read_only);
    losses.push_back(error);
  }

  std::vector<int> pauses;
  std::vector<int> losses;
};

class HttpServerShortageTest : public testing::Test {
 protected:
  HttpServerShortageTest() { server_.listen(kAdminListener, Access::read_only); }

  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }
  void expect_accepts(int first, int last) {
    for (int fd = first; fd <= last; ++fd) {
      kernel_.expect_accept(kAdminListener, fd);
    }
  }
  void expect_edge() { kernel_.expect_epoll_wait({{kAdminListener, EPOLLIN}}); }
  void expect_error(int error) { kernel_.expect_accept_error(kAdminListener, error); }

  ScriptedKernel kernel_;
  EventLoop loop_;
  ErrorRecorder handler_;
  HttpServer server_{loop_, handler_, "name"};
};

TEST_F(HttpServerShortageTest, AcceptsUntilTheQueueIsEmptyButSixteenInATurn) {
  expect_edge();
  expect_accepts(kFirstAdmin, kFirstAdmin + 15);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirstAdmin + 16, kFirstAdmin + 17);
  expect_error(EAGAIN);
  iterate();
  EXPECT_EQ(server_.connections(), 18U);
  EXPECT_EQ(server_.counters().accept_errors, 0U);
}

TEST_F(HttpServerShortageTest, LeavesNewConnectionsThreeMillisecondsForTheirRequests) {
  constexpr int kAll = HttpServer::kConnectionsPerAccess;
  expect_edge();
  expect_accepts(kFirstAdmin, kFirstAdmin + 15);
  iterate();
  kernel_.advance(1ms);
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirstAdmin + 16, kFirstAdmin + kAll - 1);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(server_.connections(), HttpServer::kConnectionsPerAccess);
  kernel_.expect_epoll_wait_timeout(2);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  for (int i = 0; i < 16; ++i) {
    kernel_.expect_accept(kAdminListener, kFirstAdmin + kAll + i);
    kernel_.expect_close(kFirstAdmin + i);
  }
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  kernel_.expect_epoll_wait_timeout(1);
  iterate();
  EXPECT_EQ(server_.counters().pushed_out, 16U);
}

TEST_F(HttpServerShortageTest, AnEmptyQueuePushesNobodyOut) {
  expect_edge();
  expect_accepts(kFirstAdmin, kFirstAdmin + 15);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirstAdmin + 16, kFirstAdmin + 31);
  iterate();
  kernel_.advance(1s);
  kernel_.expect_epoll_wait({}, 0);
  expect_error(EAGAIN);
  iterate();
  EXPECT_EQ(server_.connections(), HttpServer::kConnectionsPerAccess);
}

TEST_F(HttpServerShortageTest, AConnectionThatIsLostInTheQueueDoesNotStopTheOthers) {
  expect_edge();
  expect_error(ECONNABORTED);
  expect_error(EPROTO);
  expect_accepts(kFirstAdmin, kFirstAdmin);
  expect_error(EAGAIN);
  iterate();
  EXPECT_EQ(server_.connections(), 1U);
  EXPECT_EQ(server_.counters().accept_errors, 2U);
  EXPECT_TRUE(handler_.pauses.empty());
}

TEST_F(HttpServerShortageTest, RetriesAfter250MsAndReportsAShortageOnce) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    handler_.pauses.clear();
    expect_edge();
    expect_error(error);
    iterate();
    for (int tries = 0; tries < 3; ++tries) {
      kernel_.expect_epoll_wait_timeout(250);
      iterate();
      kernel_.expect_epoll_wait({}, 0);
      expect_error(error);
      iterate();
    }
    EXPECT_EQ(handler_.pauses, std::vector<int>{error});
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    expect_error(EAGAIN);
    iterate();
    EXPECT_TRUE(loop_.timers().empty()) << "no retry";
  }
}

TEST_F(HttpServerShortageTest, AnAcceptEndsAShortage) {
  expect_edge();
  expect_error(EMFILE);
  iterate();
  expect_edge();
  expect_accepts(kFirstAdmin, kFirstAdmin);
  expect_error(EMFILE);
  iterate();
  EXPECT_EQ(handler_.pauses, (std::vector<int>{EMFILE, EMFILE}));
}

TEST_F(HttpServerShortageTest, AListenerThatFailsForGoodIsReleased) {
  expect_edge();
  expect_error(EINVAL);
  kernel_.expect_remove(kAdminListener);
  iterate();
  EXPECT_EQ(handler_.losses, std::vector<int>{EINVAL});
  EXPECT_FALSE(kernel_.was_closed(kAdminListener)) << "it belongs to the caller";
  kernel_.expect_remove(kAdminListener, ENOENT);
  server_.stop_listening(kAdminListener);
}

TEST_F(HttpServerShortageTest, ALostListenerIsNotRetried) {
  expect_edge();
  expect_error(EMFILE);
  iterate();
  expect_edge();
  expect_error(EINVAL);
  iterate();
  kernel_.expect_epoll_wait({}, -1);
  iterate();
  kernel_.expect_remove(kAdminListener, ENOENT);
  server_.stop_listening(kAdminListener);
}

}  // namespace
}  // namespace echod::test
