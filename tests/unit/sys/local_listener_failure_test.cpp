// UNIX listeners on a scripted kernel that refuses calls. local_listener_test uses the real kernel.
#include <gtest/gtest.h>
#include <sys/file.h>

#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "scripted_syscalls.hpp"
#include "sys/local_listener.hpp"

namespace echod::test {
namespace {

constexpr int kLock = 5;
constexpr int kProbe = 6;
const std::string kPath = "/run/a.sock";
const std::string kTemporary = kPath + ".new";

class LocalListenerFailureTest : public testing::Test {
 protected:
  void expect_lock() {
    kernel_.expect_open(kPath + ".lock", kLock);
    kernel_.expect_flock(kLock, LOCK_EX | LOCK_NB);
  }
  void expect_dead_server() {
    kernel_.expect_lstat(kPath, S_IFSOCK);
    expect_nobody_listens();
  }
  void expect_nobody_listens() {
    kernel_.expect_socket(kProbe);
    kernel_.expect_connect(kProbe, ECONNREFUSED);
    kernel_.expect_close(kProbe);
  }
  // Up to the call that gives the path its server.
  void expect_bound() {
    expect_lock();
    kernel_.expect_lstat_error(kPath, ENOENT);
    kernel_.expect_lstat_error(kTemporary, ENOENT);
    kernel_.expect_socket(kFd);
    kernel_.expect_bind(kFd);
  }
  void expect_failure(const std::string& call, int error) {
    try {
      (void)sys::LocalListener({.path = kPath, .backlog = 16, .group = 7});
      ADD_FAILURE() << "no failure of " << call;
    } catch (const std::system_error& thrown) {
      EXPECT_EQ(thrown.code().value(), error) << call;
      EXPECT_EQ(std::string(thrown.what()).substr(0, call.size() + 1), call + ':');
    }
    kernel_.verify();
  }

  ScriptedKernel kernel_;
};

TEST_F(LocalListenerFailureTest, WithoutALockNothingIsTouched) {
  kernel_.expect_open_error(kPath + ".lock", EACCES);
  expect_failure("open " + kPath + ".lock", EACCES);
  kernel_.expect_open(kPath + ".lock", kLock);
  kernel_.expect_flock(kLock, LOCK_EX | LOCK_NB, ENOLCK);
  kernel_.expect_close(kLock);
  expect_failure("flock " + kPath + ".lock", ENOLCK);
}

TEST_F(LocalListenerFailureTest, RetriesAnInterruptedLock) {
  kernel_.expect_open_error(kPath + ".lock", EINTR);
  kernel_.expect_open(kPath + ".lock", kLock);
  kernel_.expect_flock(kLock, LOCK_EX | LOCK_NB, EINTR);
  kernel_.expect_flock(kLock, LOCK_EX | LOCK_NB, EWOULDBLOCK);
  expect_failure("flock " + kPath + ".lock", EADDRINUSE);
}

TEST_F(LocalListenerFailureTest, AServerThatItMayNotAskIsNotReplaced) {
  expect_lock();
  kernel_.expect_lstat_error(kPath, EACCES);
  expect_failure("lstat " + kPath, EACCES);
  expect_lock();
  kernel_.expect_lstat(kPath, S_IFSOCK);
  kernel_.expect_socket(kProbe);
  kernel_.expect_connect(kProbe, EACCES);
  kernel_.expect_close(kProbe);
  expect_failure("connect to " + kPath, EACCES);
  expect_lock();
  kernel_.expect_lstat(kPath, S_IFSOCK);
  kernel_.expect_socket_error(EMFILE);
  expect_failure("socket", EMFILE);
}

TEST_F(LocalListenerFailureTest, AServerThatEndsMeanwhileIsReplaced) {
  expect_lock();
  kernel_.expect_lstat(kPath, S_IFSOCK);
  kernel_.expect_socket(kProbe);
  kernel_.expect_connect(kProbe, ENOENT);
  kernel_.expect_close(kProbe);
  kernel_.expect_lstat_error(kTemporary, EIO);
  expect_failure("lstat " + kTemporary, EIO);
}

TEST_F(LocalListenerFailureTest, ATemporarySocketThatStaysIsReported) {
  expect_lock();
  expect_dead_server();
  kernel_.expect_lstat(kTemporary, S_IFSOCK);
  expect_nobody_listens();
  kernel_.expect_on_path(Call::unlink, kTemporary, EPERM);
  expect_failure("unlink " + kTemporary, EPERM);
}

TEST_F(LocalListenerFailureTest, FailuresBeforeTheFileExistsLeaveNothingToRemove) {
  expect_lock();
  kernel_.expect_socket_error(EMFILE);
  expect_failure("socket", EMFILE);
  expect_lock();
  kernel_.expect_socket(kFd);
  kernel_.expect_fchmod(kFd, 0660, EPERM);
  expect_failure("fchmod " + kTemporary, EPERM);
  expect_lock();
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EACCES);
  expect_failure("bind " + kTemporary, EACCES);
  EXPECT_EQ(kernel_.count(Call::unlink), 0U);
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_TRUE(kernel_.was_closed(kLock));
}

TEST_F(LocalListenerFailureTest, LaterFailuresRemoveTheTemporarySocketAndLeaveThePath) {
  struct Failing {
    std::string call;
    std::function<void()> script;
  };
  const std::vector<Failing> failures{
      {"chmod " + kTemporary, [&] { kernel_.expect_on_path(Call::chmod, kTemporary, EIO); }},
      {"lchown " + kTemporary, [&] { kernel_.expect_on_path(Call::lchown, kTemporary, EIO); }},
      {"lstat " + kTemporary, [&] { kernel_.expect_lstat_error(kTemporary, EIO); }},
      {"listen " + kTemporary,
       [&] {
         kernel_.expect_lstat(kTemporary, S_IFSOCK);
         kernel_.expect_listen(kFd, 16, EIO);
       }},
      {"rename to " + kPath,
       [&] {
         kernel_.expect_lstat(kTemporary, S_IFSOCK);
         kernel_.expect_on_path(Call::rename, kTemporary, EIO);
       }},
  };
  for (const auto& [call, script] : failures) {
    expect_bound();
    script();
    kernel_.expect_on_path(Call::unlink, kTemporary);
    kernel_.expect_close(kFd);
    kernel_.expect_close(kLock);
    expect_failure(call, EIO);
  }
}

TEST_F(LocalListenerFailureTest, ThePathStaysIfItCannotBeChecked) {
  expect_bound();
  kernel_.expect_lstat(kTemporary, S_IFSOCK);
  sys::LocalListener listener({.path = kPath});
  kernel_.expect_lstat_error(kPath, EACCES);
  kernel_.expect_close(kFd);
  kernel_.expect_close(kLock);
  listener.close();
  EXPECT_EQ(kernel_.count(Call::unlink), 0U);
}

}  // namespace
}  // namespace echod::test
