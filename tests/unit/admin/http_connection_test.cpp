// One connection on a scripted kernel. http_server_test uses the real kernel, and has the lack of
// memory.
#include "admin/http_connection.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;
using ConnectionState = HttpConnection::State;

const std::string kRequest = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpConnectionTest : public testing::Test {
 protected:
  HttpConnectionTest() { open(); }

  void open() {
    ++fd_;  // A new one each time, because a closed one may not be used.
    connection_.open(sys::UniqueFd::adopt(fd_), Access::read_only, ++number_);
    opened_at_ = kernel_.now();
  }
  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }
  void expect_bytes(const std::string& bytes) {
    kernel_.expect_epoll_wait({{fd_, EPOLLIN}});
    kernel_.expect_recv(fd_, bytes);
  }
  // Brings the connection to the state `handling`.
  void receive_request(const std::string& request = kRequest) {
    expect_bytes(request);
    iterate();
    ASSERT_EQ(connection_.state(), ConnectionState::handling);
  }
  // Lets the time since the accept become `time`, when a timer must be due.
  void wait_until_deadline(std::chrono::milliseconds time) {
    kernel_.expect_epoll_wait_timeout();
    loop_.run_once();
    EXPECT_EQ(kernel_.now() - opened_at_, time);
  }
  void expect_response(const std::string& status, const std::string& body) {
    const std::string& sent = kernel_.sent(fd_);
    EXPECT_EQ(sent.find("HTTP/1.1 " + status), 0U) << sent;
    EXPECT_EQ(sent.substr(sent.find("\r\n\r\n") + 4), body);
  }
  void expect_lingering() {
    EXPECT_EQ(connection_.state(), ConnectionState::lingering);
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_recv_error(fd_, EAGAIN);
    iterate();
  }
  void expect_unused() {
    EXPECT_EQ(connection_.state(), ConnectionState::unused);
    EXPECT_TRUE(kernel_.was_closed(fd_));
    EXPECT_TRUE(loop_.timers().empty());
  }

  ScriptedKernel kernel_;
  EventLoop loop_;
  HttpCounters counters_;
  std::vector<std::string> requests_;
  std::function<void(HttpConnection&)> answer_ = [](HttpConnection&) {};
  HttpConnection connection_{loop_, counters_,
                             [this](HttpConnection& connection, ReceivedRequest& received) {
                               requests_.push_back(received.request.path);
                               answer_(connection);
                             }};
  int fd_ = kFd;
  std::uint64_t number_ = 0;
  std::chrono::nanoseconds opened_at_{0};
};

HttpResponse response_of(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

// A request and its response.

TEST_F(HttpConnectionTest, RegistersOnce) {
  EXPECT_EQ(kernel_.registration(fd_)->mask, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  EXPECT_EQ(connection_.state(), ConnectionState::receiving);
  EXPECT_EQ(connection_.access(), Access::read_only);
}

TEST_F(HttpConnectionTest, ReadsToTheEndOfTheRequestAndAnswersInTheSameTurn) {
  answer_ = [](HttpConnection& connection) { connection.respond(response_of("text")); };
  expect_bytes(kRequest.substr(0, 10));
  kernel_.expect_recv(fd_, kRequest.substr(10, 5));
  kernel_.expect_recv_error(fd_, EAGAIN);
  iterate();
  EXPECT_TRUE(requests_.empty());
  expect_bytes(kRequest.substr(15));
  kernel_.expect_send(fd_, head_of(response_of("text")));
  kernel_.expect_send(fd_, "text");
  kernel_.expect_shutdown(fd_);
  iterate();
  EXPECT_EQ(requests_, std::vector<std::string>{"/metrics"});
  expect_lingering();
  kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(fd_);
  kernel_.expect_close(fd_);
  iterate();
  expect_unused();
  EXPECT_EQ(counters_.answered, 1U);
  EXPECT_EQ(counters_.refused + counters_.failed + counters_.timed_out, 0U);
}

TEST_F(HttpConnectionTest, AnswersLater) {
  receive_request();
  kernel_.expect_send_any(fd_);
  kernel_.expect_send(fd_, "later");
  kernel_.expect_shutdown(fd_);
  connection_.respond(response_of("later"));
  expect_lingering();
}

TEST_F(HttpConnectionTest, SendsTheRestWhenThereIsRoom) {
  receive_request();
  kernel_.expect_send_any(fd_, 5);
  kernel_.expect_send_any(fd_);
  kernel_.expect_send(fd_, "0123456789", 3);
  kernel_.expect_send_error(fd_, EAGAIN);
  connection_.respond(response_of("0123456789"));
  kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLOUT}});
  kernel_.expect_send(fd_, "3456789", 6);
  kernel_.expect_send_error(fd_, EAGAIN);
  iterate();
  EXPECT_EQ(connection_.state(), ConnectionState::sending);
  kernel_.expect_epoll_wait({{fd_, EPOLLOUT}});
  kernel_.expect_send(fd_, "9");
  kernel_.expect_shutdown(fd_);
  iterate();
  EXPECT_EQ(kernel_.sent(fd_), head_of(response_of("0123456789")) + "0123456789");
}

TEST_F(HttpConnectionTest, AnswersHeadWithoutTheBody) {
  receive_request("HEAD / HTTP/1.0\r\n\r\n");
  kernel_.expect_send(fd_, head_of(response_of("text")));
  kernel_.expect_shutdown(fd_);
  connection_.respond(response_of("text"));
}

TEST_F(HttpConnectionTest, AnswersABodyOfNoBytes) {
  receive_request();
  kernel_.expect_send(fd_, head_of(response_of("")));
  kernel_.expect_shutdown(fd_);
  connection_.respond(response_of(""));
}

TEST_F(HttpConnectionTest, RefusesWhatTheParserRefuses) {
  expect_bytes("GET / HTTP/2.0\r\n");
  kernel_.expect_send_any(fd_);
  kernel_.expect_send_any(fd_);
  kernel_.expect_shutdown(fd_);
  iterate();
  expect_response("505 ", "echod: the version must be HTTP/1.0 or HTTP/1.1\n");
  EXPECT_TRUE(requests_.empty());
  EXPECT_EQ(counters_.failed, 1U);
}

TEST_F(HttpConnectionTest, ServesOneConnectionAfterTheOther) {
  receive_request("HEAD / HTTP/1.0\r\n\r\n");
  connection_.close();
  expect_unused();
  open();
  receive_request();
  kernel_.expect_send_any(fd_);
  kernel_.expect_send(fd_, "text");
  kernel_.expect_shutdown(fd_);
  connection_.respond(response_of("text"));
}

// Clients that go away.

TEST_F(HttpConnectionTest, AConnectionWithoutBytesIsClosedWithoutAnAnswer) {
  kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(fd_);
  iterate();
  expect_unused();
}

TEST_F(HttpConnectionTest, AnIncompleteRequestIsAnsweredIfTheClientMayStillRead) {
  expect_bytes("GET / HTTP/1.1\r\n");
  kernel_.expect_recv_eof(fd_);
  kernel_.expect_send_any(fd_);
  kernel_.expect_send_any(fd_);
  kernel_.expect_shutdown(fd_);
  iterate();
  expect_response("400 ", "echod: the request ends before its header does\n");
}

TEST_F(HttpConnectionTest, AClientThatHalfClosesGetsItsAnswer) {
  receive_request();
  kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLRDHUP}});
  iterate();
  EXPECT_EQ(connection_.state(), ConnectionState::handling);
}

TEST_F(HttpConnectionTest, AClientThatIsGoneIsNotWaitedFor) {
  for (const std::uint32_t events : {std::uint32_t{EPOLLHUP}, std::uint32_t{EPOLLERR}}) {
    receive_request();
    kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLRDHUP | events}});
    iterate();
    expect_unused();
    open();
  }
}

TEST_F(HttpConnectionTest, ClosesAfterAFailedCall) {
  kernel_.expect_epoll_wait({{fd_, EPOLLIN | EPOLLERR}});
  kernel_.expect_recv_error(fd_, ECONNRESET);
  iterate();
  expect_unused();

  open();
  receive_request();
  kernel_.expect_send_error(fd_, EPIPE);
  connection_.respond(response_of("text"));
  expect_unused();

  open();
  receive_request();
  kernel_.expect_send_any(fd_);
  kernel_.expect_shutdown(fd_, SHUT_WR, ENOTCONN);
  connection_.respond(response_of(""));
  expect_unused();
}

// Lingering.

class HttpLingeringTest : public HttpConnectionTest {
 protected:
  HttpLingeringTest() {
    receive_request();
    kernel_.expect_send_any(fd_);
    kernel_.expect_shutdown(fd_);
    connection_.respond(response_of(""));
  }
};

TEST_F(HttpLingeringTest, DiscardsABoundedNumberOfBytesInATurn) {
  for (int turn = 0; turn < 3; ++turn) {
    kernel_.expect_epoll_wait({}, 0);
    for (int reads = 0; reads < 8; ++reads) {
      kernel_.expect_recv_full(fd_);
    }
    iterate();
  }
  expect_lingering();
}

TEST_F(HttpLingeringTest, EndsAfterOneSecondWhateverTheClientSends) {
  expect_lingering();
  kernel_.advance(900ms);
  expect_bytes("more");
  kernel_.expect_recv_error(fd_, EAGAIN);
  iterate();
  wait_until_deadline(1s);
  expect_unused();
  EXPECT_EQ(counters_.timed_out, 0U);
}

TEST_F(HttpLingeringTest, EndsWithAnError) {
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_error(fd_, ECONNRESET);
  iterate();
  expect_unused();
}

// Deadlines.

TEST_F(HttpConnectionTest, ASilentClientIsClosedAfterTwoSeconds) {
  wait_until_deadline(2s);
  expect_unused();
  EXPECT_EQ(counters_.timed_out, 1U);
}

TEST_F(HttpConnectionTest, ADrippingClientHasTwoSecondsInAll) {
  for (int second = 0; second < 3; ++second) {
    kernel_.advance(600ms);
    expect_bytes("G");
    kernel_.expect_recv_error(fd_, EAGAIN);
    iterate();
  }
  kernel_.expect_epoll_wait_timeout(200);
  kernel_.expect_send_any(fd_);
  kernel_.expect_send_any(fd_);
  kernel_.expect_shutdown(fd_);
  iterate();
  expect_response("408 ", "echod: the request was not complete after 2 s\n");
  expect_lingering();
  EXPECT_EQ(counters_.timed_out, 1U);
}

TEST_F(HttpConnectionTest, AnAnswerThatDoesNotComeIsReportedAfterFiveSeconds) {
  kernel_.advance(1900ms);
  receive_request();
  kernel_.expect_epoll_wait_timeout(3100);
  kernel_.expect_send_any(fd_);
  kernel_.expect_send_any(fd_);
  kernel_.expect_shutdown(fd_);
  iterate();
  expect_response("503 ", "echod: there was no answer within 5 s\n");
  EXPECT_EQ(counters_.failed, 1U);
}

TEST_F(HttpConnectionTest, ASlowReaderHasFiveSecondsInAll) {
  kernel_.advance(1s);
  receive_request();
  kernel_.expect_send_any(fd_, 10);
  kernel_.expect_send_error(fd_, EAGAIN);
  connection_.respond(response_of("text"));
  for (int second = 0; second < 3; ++second) {
    kernel_.advance(1s);
    kernel_.expect_epoll_wait({{fd_, EPOLLOUT}});
    kernel_.expect_send_any(fd_, 1);
    kernel_.expect_send_error(fd_, EAGAIN);
    iterate();
  }
  wait_until_deadline(5s);
  expect_unused();
  EXPECT_EQ(kernel_.option_set(fd_, SOL_SOCKET, SO_LINGER), 1);
}

TEST_F(HttpConnectionTest, AReaderThatTakesNothingIsClosedWhenTheAnswerIsLateToo) {
  receive_request();
  kernel_.expect_epoll_wait_timeout(5000);
  kernel_.expect_send_error(fd_, EAGAIN);
  iterate();
  EXPECT_EQ(connection_.state(), ConnectionState::sending);
  wait_until_deadline(5s);
  expect_unused();
}

TEST_F(HttpConnectionTest, WithoutRegistrationTheConnectionIsClosedAtOnce) {
  connection_.close();
  kernel_.expect_add(fd_ + 1, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, ENOSPC);
  open();
  expect_unused();
}

}  // namespace
}  // namespace echod::test
