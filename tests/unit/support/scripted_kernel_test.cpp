#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>

#include "client/sys/client_socket.hpp"
#include "client/sys/timer_fd.hpp"
#include "scripted_syscalls.hpp"
#include "sys/clock.hpp"
#include "sys/epoll.hpp"
#include "sys/event_fd.hpp"
#include "sys/listen_socket.hpp"
#include "sys/stream_socket.hpp"

namespace echod::test {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class ScriptedKernelTest : public testing::Test {
 protected:
  sys::IoResult receive() { return sys::receive(kFd, buffer_); }

  std::array<std::byte, 16> buffer_{};
  ScriptedKernel kernel_;
};

TEST_F(ScriptedKernelTest, CallsInTheOrderOfTheScriptGetItsAnswers) {
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 3);
  kernel_.expect_send_error(kFd, "lo", EAGAIN);
  kernel_.expect_recv_eof(kFd);
  EXPECT_EQ(receive().count(), 5U);
  EXPECT_EQ(sys::send(kFd, bytes_of("hello")).count(), 3U);
  EXPECT_TRUE(sys::send(kFd, bytes_of("lo")).would_block());
  EXPECT_TRUE(receive().ok());
  EXPECT_EQ(kernel_.received(kFd), "hello");
  EXPECT_EQ(kernel_.sent(kFd), "hel");
}

TEST_F(ScriptedKernelTest, ACallOutOfOrderFailsTheTestAndSaysWhatWasExpected) {
  kernel_.expect_send(kFd, "hello");
  EXPECT_NONFATAL_FAILURE((void)receive(), "expected: send(fd 7, \"hello\" (5 bytes)) -> 5");
  EXPECT_EQ(sys::send(kFd, bytes_of("hello")).count(), 5U);
  EXPECT_NONFATAL_FAILURE((void)receive(), "expected: no further call");
}

TEST_F(ScriptedKernelTest, AStepThatIsLeftOverFailsTheTest) {
  kernel_.expect_recv(kFd, "hello");
  EXPECT_NONFATAL_FAILURE(kernel_.verify(), "never called: recv(fd 7, \"hello\" (5 bytes)) -> 5");
}

TEST_F(ScriptedKernelTest, BytesThatDifferFailTheTest) {
  kernel_.expect_send(kFd, "hello");
  EXPECT_NONFATAL_FAILURE((void)sys::send(kFd, bytes_of("help!")),
                          "wrong call: send(fd 7, \"help!");
}

TEST_F(ScriptedKernelTest, PeekAndDiscardAreToldApartFromPlainReads) {
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_discard(kFd, 5, 5);
  EXPECT_EQ(sys::peek(kFd, buffer_).count(), 5U);
  EXPECT_EQ(sys::discard(kFd, std::span(buffer_).first(5)).count(), 5U);
  kernel_.expect_recv(kFd, "hello");
  EXPECT_NONFATAL_FAILURE((void)sys::peek(kFd, buffer_), "MSG_PEEK");
}

TEST_F(ScriptedKernelTest, AnEventCarriesTheTokenOfTheRegistration) {
  sys::Epoll epoll;
  ASSERT_TRUE(epoll.add(kFd, EPOLLIN, 1).ok());
  kernel_.expect_modify(kFd, EPOLLOUT | EPOLLET);
  ASSERT_TRUE(epoll.modify(kFd, EPOLLOUT | EPOLLET, 2).ok());
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}, {.fd = kFd, .events = EPOLLIN, .token = 99}}, -1);
  const auto events = epoll.wait(-1);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].data.u64, 2U);
  EXPECT_EQ(events[1].data.u64, 99U);
  EXPECT_EQ(kernel_.registration(kFd)->mask, EPOLLOUT | EPOLLET);
}

TEST_F(ScriptedKernelTest, AFlipThatIsNotScriptedOrHasAnotherMaskFailsTheTest) {
  sys::Epoll epoll;
  ASSERT_TRUE(epoll.add(kFd, EPOLLIN, 1).ok());
  EXPECT_NONFATAL_FAILURE((void)epoll.modify(kFd, EPOLLOUT, 1), "unexpected call: EPOLL_CTL_MOD");
  kernel_.expect_modify(kFd, EPOLLOUT | EPOLLET);
  EXPECT_NONFATAL_FAILURE((void)epoll.modify(kFd, EPOLLOUT, 1), "EPOLLOUT|EPOLLET");
}

TEST_F(ScriptedKernelTest, AWaitThatTimesOutMovesTheClock) {
  sys::Epoll epoll;
  const auto before = sys::MonotonicClock::now();
  kernel_.expect_epoll_wait_timeout(250);
  EXPECT_TRUE(epoll.wait(250).empty());
  EXPECT_EQ(sys::MonotonicClock::now() - before, std::chrono::milliseconds(250));
  kernel_.advance(std::chrono::seconds(1));
  EXPECT_EQ(sys::MonotonicClock::now() - before, std::chrono::milliseconds(1250));
}

TEST_F(ScriptedKernelTest, AcceptGivesTheScriptedPeerOrError) {
  kernel_.expect_accept(3, kFd, "2001:db8::1", 5555);
  kernel_.expect_accept_error(3, EMFILE);
  const sys::Accepted accepted = sys::accept(3);
  EXPECT_EQ(accepted.fd.get(), kFd);
  EXPECT_EQ(accepted.peer.text(), "[2001:db8::1]:5555");
  EXPECT_EQ(sys::accept(3).error, EMFILE);
}

TEST_F(ScriptedKernelTest, AClosedDescriptorMayNotBeUsedOrClosedAgain) {
  (void)sys::UniqueFd::adopt(kFd);
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_NONFATAL_FAILURE((void)sys::UniqueFd::adopt(kFd), "use of a closed descriptor: close");
  kernel_.expect_accept(3, kFd);
  const sys::Accepted again = sys::accept(3);
  EXPECT_FALSE(kernel_.was_closed(kFd));
}

TEST_F(ScriptedKernelTest, ACloseInTheScriptHasItsPlaceInTheOrder) {
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  EXPECT_NONFATAL_FAILURE((void)sys::UniqueFd::adopt(kFd), "unexpected call: close(fd 7)");
  (void)kernel_.steps_left();
  EXPECT_NONFATAL_FAILURE((void)receive(), "use of a closed descriptor");
  EXPECT_NONFATAL_FAILURE(kernel_.verify(), "never called: close(fd 7)");
}

TEST_F(ScriptedKernelTest, AnEventFdRemembersThatItWasSignalled) {
  sys::EventFd event;
  event.signal();
  event.signal();
  event.clear();
  EXPECT_EQ(kernel_.count(Call::write), 2U);
  EXPECT_EQ(kernel_.count(Call::read), 1U);
}

TEST_F(ScriptedKernelTest, AnActionRunsAtTheMomentOfItsCall) {
  bool has_run = false;
  kernel_.expect_recv_error(kFd, EAGAIN).then([&] { has_run = true; });
  EXPECT_FALSE(has_run);
  EXPECT_TRUE(receive().would_block());
  EXPECT_TRUE(has_run);
}

TEST_F(ScriptedKernelTest, AConnectSucceedsUnlessTheScriptSaysOtherwise) {
  const auto server = *SocketAddress::parse("2001:db8::9", 2003);
  const auto source = *SocketAddress::parse("2001:db8::1", 4711);
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  EXPECT_EQ(sys::open_connection(server, source).error, EINPROGRESS);
  EXPECT_EQ(SocketAddress::from(kernel_.connected_to(kFd)), server);
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kFd)), source);
  const sys::ConnectResult other = sys::open_connection(server, std::nullopt);
  EXPECT_EQ(other.error, 0);
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(other.fd.get())).text(), "0.0.0.0:0");
}

TEST_F(ScriptedKernelTest, ATimerFdRemembersItsMomentAndAnotherThanScriptedFailsTheTest) {
  kernel_.expect_timerfd(kFd);
  sys::TimerFd timer;
  EXPECT_EQ(kernel_.timer(kFd), std::nullopt);
  const std::chrono::nanoseconds moment(1'234'567'890'123);
  timer.expire_at(sys::TimePoint(moment));
  EXPECT_EQ(kernel_.timer(kFd), moment);
  kernel_.expect_timer_set(kFd, moment + std::chrono::nanoseconds(1));
  EXPECT_NONFATAL_FAILURE(timer.expire_at(sys::TimePoint(moment)),
                          "wrong call: timerfd_settime(fd 7, at 1234567890123 ns)");
}

TEST_F(ScriptedKernelTest, AListenerCanBeOpenedWithoutAScript) {
  const sys::ListenSocket listener =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 16, false, {});
  EXPECT_GE(listener.fd.get(), 1000);
  EXPECT_NE(listener.address.port(), 0);
  EXPECT_EQ(kernel_.option_set(listener.fd.get(), SOL_SOCKET, SO_REUSEADDR), 1);
}

TEST_F(ScriptedKernelTest, WhatIsReadInFullComesInAPatternOfTheLengthAskedFor) {
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd, 10);
  EXPECT_EQ(receive().count(), buffer_.size());
  EXPECT_EQ(sys::send(kFd, buffer_).count(), 10U);
  EXPECT_EQ(kernel_.sent(kFd), kernel_.received(kFd).substr(0, 10));
}

TEST(NoScriptedKernelTest, CallsGoToTheRealKernel) {
  const sys::EventFd event;
  EXPECT_GE(event.fd(), 0);
  EXPECT_LT(event.fd(), 1000);
}

}  // namespace
}  // namespace echod::test
