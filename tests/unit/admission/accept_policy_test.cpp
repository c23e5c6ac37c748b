#include "admission/accept_policy.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace echod::test {
namespace {

void expect_verdict(AcceptVerdict verdict, std::initializer_list<int> errors) {
  for (const int error : errors) {
    EXPECT_EQ(verdict_on_accept(error), verdict) << strerrorname_np(error);
  }
}

TEST(AcceptPolicyTest, AnEmptyQueueIsDone) {
  expect_verdict(AcceptVerdict::done, {EAGAIN, EWOULDBLOCK});
}

TEST(AcceptPolicyTest, AShortageIsWaitedOut) {
  expect_verdict(AcceptVerdict::pause, {EMFILE, ENFILE, ENOBUFS, ENOMEM});
}

TEST(AcceptPolicyTest, TheNetworksErrorsThatLinuxPassesOnAreRetried) {
  expect_verdict(AcceptVerdict::retry, {ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
                                        EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH});
}

TEST(AcceptPolicyTest, AConnectionThatIsGoneIsRetried) {
  expect_verdict(AcceptVerdict::retry, {ECONNABORTED});
}

TEST(AcceptPolicyTest, WhatIsForbiddenOrUnheardOfMayPersistAndIsWaitedOut) {
  expect_verdict(AcceptVerdict::pause, {EPERM, EACCES, ETIMEDOUT, ENOSYS, 4095});
}

TEST(AcceptPolicyTest, OnlyADescriptorThatIsNoListenerIsFatal) {
  expect_verdict(AcceptVerdict::fatal, {EBADF, EFAULT, EINVAL, ENOTSOCK});
}

}  // namespace
}  // namespace echod::test
