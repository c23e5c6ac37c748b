// Connections of checks on a scripted kernel: errors that a server on loopback does not cause.
#include "client/check/check_peer.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using client::CheckPeer;
using client::CheckVerdict;

// The message of the exception that `call` throws. Fails the test if it throws no `Exception`.
template <typename Exception, typename Call>
std::string thrown(Call call) {
  try {
    call();
  } catch (const Exception& exception) {
    return exception.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another exception: " << other.what();
    return "";
  }
  ADD_FAILURE() << "no exception";
  return "";
}

class CheckPeerTest : public testing::Test {
 protected:
  CheckPeerTest() { plan_.server = *SocketAddress::parse("192.0.2.9", 2003); }

  CheckPeer connect() {
    kernel_.expect_socket(kFd);
    kernel_.expect_connect(kFd, EINPROGRESS);
    return CheckPeer(context_, {.text = "Hello"});
  }

  ScriptedKernel kernel_;
  client::CheckPlan plan_;
  client::CheckContext context_{plan_};
};

TEST_F(CheckPeerTest, AServerThatCannotBeReachedIsNamedWithTheReason) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EHOSTUNREACH);
  EXPECT_EQ(thrown<client::CannotConnect>([&] { CheckPeer peer(context_); }),
            "connection 1: cannot connect to 192.0.2.9:2003: No route to host");
}

TEST_F(CheckPeerTest, AMissingLocalPortIsNotTheServersFault) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EADDRNOTAVAIL);
  EXPECT_EQ(thrown<std::system_error>([&] { CheckPeer peer(context_); }),
            "connection 1: echoload's own host: Cannot assign requested address");
}

TEST_F(CheckPeerTest, MissingKernelMemoryWhileSendingIsNotTheServersFault) {
  CheckPeer peer = connect();
  kernel_.expect_send_error(kFd, ENOBUFS);
  EXPECT_EQ(thrown<std::system_error>([&] { peer.exchange(5); }),
            "connection 1: echoload's own host: No buffer space available");
}

TEST_F(CheckPeerTest, MissingKernelMemoryWhileReceivingIsNotTheServersFault) {
  CheckPeer peer = connect();
  kernel_.expect_send(kFd, "Hello");
  kernel_.expect_recv_error(kFd, ENOMEM);
  EXPECT_EQ(thrown<std::system_error>([&] { peer.exchange(5); }),
            "connection 1: echoload's own host: Cannot allocate memory");
}

TEST_F(CheckPeerTest, AConnectionThatTheNetworkBreaksFailsWithTheReason) {
  CheckPeer peer = connect();
  kernel_.expect_send(kFd, "Hello");
  kernel_.expect_recv(kFd, "He");
  kernel_.expect_recv_error(kFd, EHOSTUNREACH);
  EXPECT_EQ(thrown<client::CheckFailure>([&] { peer.exchange(5); }),
            "connection 1 failed after 2 of 5 bytes: No route to host");
}

// The server reset the connection. What came back before that counts.
TEST_F(CheckPeerTest, WhatCameBackBeforeAFailedSendIsCounted) {
  CheckPeer peer = connect();
  kernel_.expect_send(kFd, "Hello", 3);
  kernel_.expect_recv(kFd, "He");
  kernel_.expect_send_error(kFd, "lo", ECONNRESET);
  kernel_.expect_recv(kFd, "l");
  kernel_.expect_recv_eof(kFd);
  EXPECT_EQ(thrown<client::CheckFailure>([&] { peer.exchange(5); }),
            "connection 1 reset after 3 of 5 bytes");
}

TEST_F(CheckPeerTest, AConnectionThatTheServerClosedAndThenResetIsReportedAsClosed) {
  CheckPeer peer = connect();
  kernel_.expect_send_error(kFd, "Hello", EPIPE);
  kernel_.expect_recv_eof(kFd);
  EXPECT_EQ(thrown<client::CheckFailure>([&] { peer.exchange(5); }),
            "connection 1 closed after 0 of 5 bytes");
}

TEST_F(CheckPeerTest, AWakeUpWithoutBytesIsWaitedOut) {
  CheckPeer peer = connect();
  kernel_.expect_send(kFd, "Hello");
  kernel_.expect_recv_error(kFd, EAGAIN);
  kernel_.expect_recv(kFd, "Hello");
  peer.exchange(5);
  EXPECT_EQ(kernel_.received(kFd), "Hello");
}

TEST_F(CheckPeerTest, TheFinWaitsForAFullSendBuffer) {
  CheckPeer peer = connect();
  kernel_.expect_send(kFd, "Hello", 2);
  kernel_.expect_send_error(kFd, "llo", EAGAIN);
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_shutdown(kFd);
  peer.send_with_fin(5);
  EXPECT_TRUE(peer.is_half_closed());
  EXPECT_EQ(kernel_.sent(kFd), "Hello");
}

TEST_F(CheckPeerTest, AHalfCloseThatFailsIsAFailureOfTheConnection) {
  CheckPeer peer = connect();
  kernel_.expect_shutdown(kFd, SHUT_WR, ENOTCONN);
  kernel_.expect_recv_error(kFd, ECONNRESET);
  EXPECT_EQ(thrown<client::CheckFailure>([&] { peer.half_close(); }),
            "connection 1 reset after 0 of 0 bytes");
}

TEST_F(CheckPeerTest, AFinHasArrivedWhenNothingIsUnacknowledged) {
  CheckPeer peer = connect();
  EXPECT_FALSE(peer.has_fin_arrived()) << "it was not sent";
  kernel_.expect_shutdown(kFd);
  kernel_.set_unacknowledged(kFd, 1);
  peer.half_close();
  EXPECT_FALSE(peer.has_fin_arrived());
  kernel_.set_unacknowledged(kFd, 0);
  EXPECT_TRUE(peer.has_fin_arrived());
}

TEST(RunChecksTest, OnAHostWithoutDescriptorsEveryCheckIsSkippedWithTheReason) {
  ScriptedKernel kernel;
  kernel.improvise([](const MadeCall& call) -> std::optional<Step> {
    return call.call == Call::socket ? std::optional(Step(Call::socket).failing(EMFILE))
                                     : std::nullopt;
  });
  client::CheckPlan plan;
  plan.server = *SocketAddress::parse("192.0.2.9", 2003);
  const auto results = client::run_checks(plan, {});
  EXPECT_FALSE(client::have_passed(results));
  for (const client::CheckResult& result : results) {
    EXPECT_EQ(result.verdict, CheckVerdict::skip) << result.name;
    EXPECT_TRUE(result.reason.ends_with(": echoload's own host: Too many open files"))
        << result.name << ": " << result.reason;
  }
}

}  // namespace
}  // namespace echod::test
