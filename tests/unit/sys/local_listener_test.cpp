// UNIX listeners on the real kernel. local_listener_failure_test has rare errors.
#include "sys/local_listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "files.hpp"
#include "local_socket.hpp"
#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

using sys::LocalListener;

class LocalListenerTest : public testing::Test {
 protected:
  [[nodiscard]] LocalListener opened() const { return LocalListener({.path = path_}); }
  // The errno with which opening fails; 0 if it does not.
  static int error_of(const std::string& path) {
    try {
      const LocalListener listener({.path = path});
      return 0;
    } catch (const std::system_error& error) {
      return error.code().value();
    }
  }
  [[nodiscard]] bool has_live_server() const { return connected_to_path(path_).is_open(); }
  [[nodiscard]] static struct stat status_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
    return status;
  }
  // What the next program takes over, with descriptors of its own.
  [[nodiscard]] static LocalListener taken_over(const LocalListener& listener) {
    return {listener.path(), listener.file(),
            sys::UniqueFd::adopt(fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0)),
            sys::UniqueFd::adopt(fcntl(listener.lock_fd(), F_DUPFD_CLOEXEC, 0))};
  }
  [[nodiscard]] static mode_t mode_of(const std::string& path) {
    return status_of(path).st_mode & 07777U;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.file("admin.sock");
};

TEST_F(LocalListenerTest, AcceptsConnectionsAtItsPath) {
  const LocalListener listener = opened();
  EXPECT_TRUE(listener.is_open());
  EXPECT_EQ(listener.path(), path_);
  EXPECT_EQ(sys::accept(listener.fd()).error, EAGAIN) << "or it would block";
  const sys::UniqueFd client = connected_to_path(path_);
  ASSERT_TRUE(client.is_open());
  EXPECT_EQ(sys::accept(listener.fd()).error, 0);
}

TEST_F(LocalListenerTest, HasItsModeWhateverTheUmask) {
  for (const mode_t mask : {0U, 022U, 0177U, 0777U}) {
    const mode_t before = umask(mask);
    const LocalListener listener({.path = path_, .mode = 0662});
    umask(before);
    EXPECT_EQ(mode_of(path_), 0662U) << std::oct << mask;
    EXPECT_EQ(mode_of(path_ + ".lock") & 0077U, 0U) << "others could take the lock";
    std::filesystem::remove(path_ + ".lock");
  }
}

TEST_F(LocalListenerTest, HasItsOwnerAndGroup) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to give a file to another user";
  }
  constexpr uid_t kNobody = 65534;
  {
    const LocalListener listener({.path = path_, .owner = kNobody, .group = 7});
    EXPECT_EQ(status_of(path_).st_uid, kNobody);
    EXPECT_EQ(status_of(path_).st_gid, 7U);
  }
  const LocalListener listener({.path = path_, .group = 8});
  EXPECT_EQ(status_of(path_).st_uid, 0U);
  EXPECT_EQ(status_of(path_).st_gid, 8U);
}

TEST_F(LocalListenerTest, RemovesThePathAtItsEndAndNothingElse) {
  LocalListener listener = opened();
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
  listener.close();
  EXPECT_FALSE(listener.is_open());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(std::filesystem::exists(path_ + ".lock"));
  listener.close();
  EXPECT_TRUE(opened().is_open());
}

TEST_F(LocalListenerTest, IsEmptyByDefault) {
  LocalListener listener;
  EXPECT_FALSE(listener.is_open());
  listener.close();
}

TEST_F(LocalListenerTest, MovesWithItsPath) {
  LocalListener first = opened();
  LocalListener second = std::move(first);
  EXPECT_TRUE(has_live_server());
  const std::string other = directory_.file("other.sock");
  second = LocalListener({.path = other});
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(connected_to_path(other).is_open());
}

TEST_F(LocalListenerTest, ReplacesTheSocketOfADeadProcess) {
  bound_to_path(path_).reset();
  EXPECT_FALSE(has_live_server());
  const LocalListener listener = opened();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, ReplacesASocketThatWasNeverListenedOn) {
  const sys::UniqueFd bound = bound_to_path(path_, -1);
  const LocalListener listener = opened();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, RemovesATemporarySocketThatADeadProcessLeftBehind) {
  bound_to_path(path_ + ".new").reset();
  const LocalListener listener = opened();
  EXPECT_TRUE(has_live_server());
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(LocalListenerTest, RefusesAPathThatAnotherListenerServes) {
  const LocalListener listener = opened();
  try {
    (void)opened();
    FAIL() << "two listeners at one path";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.what(), "flock " + path_ + ".lock: Address already in use");
  }
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, RefusesAPathThatAServerWithoutTheLockServes) {
  const sys::UniqueFd server = bound_to_path(path_);
  EXPECT_EQ(error_of(path_), EADDRINUSE);
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, RefusesAPathWhoseServerIsTooBusyToAccept) {
  const sys::UniqueFd server = bound_to_path(path_, 0);
  std::vector<sys::UniqueFd> clients;
  do {
    clients.push_back(connected_to_path(path_));
  } while (clients.back().is_open());
  ASSERT_EQ(errno, EAGAIN);
  EXPECT_EQ(error_of(path_), EADDRINUSE);
}

TEST_F(LocalListenerTest, LeavesFilesOfOtherTypesAlone) {
  const std::string file = directory_.file("file");
  write_file(file, "text");
  write_file(directory_.file("other.new"), "text");
  const std::string link = directory_.file("link");
  const LocalListener listener = opened();
  std::filesystem::create_symlink(path_, link);
  EXPECT_EQ(error_of(file), ENOTSOCK);
  EXPECT_EQ(error_of(directory_.file("other")), ENOTSOCK);
  EXPECT_EQ(error_of(link), ENOTSOCK);
  EXPECT_EQ(error_of(directory_.path()), ENOTSOCK);
  EXPECT_EQ(read_file(file), "text");
  EXPECT_EQ(read_file(directory_.file("other.new")), "text");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(LocalListenerTest, DoesNotFollowALinkToALockOfAnotherFile) {
  write_file(directory_.file("file"), "text");
  std::filesystem::create_symlink(directory_.file("file"), path_ + ".lock");
  EXPECT_EQ(error_of(path_), ELOOP);
}

TEST_F(LocalListenerTest, LeavesThePathToASuccessor) {
  LocalListener listener = opened();
  const sys::UniqueFd successor = bound_to_path(directory_.file("successor"));
  std::filesystem::rename(directory_.file("successor"), path_);
  listener.close();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, EndsQuietlyIfThePathIsGone) {
  LocalListener listener = opened();
  std::filesystem::remove(path_);
  listener.close();
  EXPECT_TRUE(opened().is_open());
}

// A listener as the next program gets it: with a descriptor of its own.
TEST_F(LocalListenerTest, IsTakenOverByAnotherProgram) {
  LocalListener adopted;
  {
    std::optional<LocalListener> first(opened());
    const int socket = fcntl(first->fd(), F_DUPFD_CLOEXEC, 0);
    const int lock = fcntl(first->lock_fd(), F_DUPFD_CLOEXEC, 0);
    adopted = LocalListener(path_, first->file(), sys::UniqueFd::adopt(socket),
                            sys::UniqueFd::adopt(lock));
    EXPECT_EQ(adopted.fd(), socket);
    EXPECT_EQ(adopted.lock_fd(), lock);
    EXPECT_EQ(adopted.path(), path_);
    // An exec does not run the destructor of the first one, which would remove the path.
    std::filesystem::rename(path_, path_ + ".kept");
    first.reset();
    std::filesystem::rename(path_ + ".kept", path_);
  }
  const sys::UniqueFd client = connected_to_path(path_);
  ASSERT_TRUE(client.is_open());
  EXPECT_EQ(sys::accept(adopted.fd()).error, 0);
  EXPECT_EQ(error_of(path_), EADDRINUSE) << "the lock is still taken";
  adopted.close();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(opened().is_open()) << "the lock is free";
}

// The path is that of a socket unit, for example, since before the change of the program.
TEST_F(LocalListenerTest, TakenOverItLeavesThePathToThatWhichHadReplacedItBefore) {
  LocalListener first = opened();
  const sys::UniqueFd successor = bound_to_path(directory_.file("successor"));
  std::filesystem::rename(directory_.file("successor"), path_);
  LocalListener adopted = taken_over(first);
  adopted.set_access({.path = path_, .mode = 0600});
  EXPECT_NE(mode_of(path_), 0600U);
  adopted.close();
  first.close();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, WithoutItsSocketItKeepsThePathAndTheLock) {
  LocalListener listener = opened();
  sys::UniqueFd socket = listener.release_socket();
  EXPECT_FALSE(listener.is_open());
  const sys::UniqueFd client = connected_to_path(path_);
  ASSERT_TRUE(client.is_open());
  EXPECT_EQ(error_of(path_), EADDRINUSE);
  listener.close();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(sys::accept(socket.get()).error, 0) << "the client that came before";
  EXPECT_TRUE(opened().is_open()) << "the lock is free";
}

TEST_F(LocalListenerTest, AnOpenOneGetsAnotherMode) {
  const LocalListener listener = opened();
  listener.set_access({.path = path_, .mode = 0602});
  EXPECT_EQ(mode_of(path_), 0602U);
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, WhetherItCouldBeOpenedIsFoundOutWithoutAServer) {
  sys::require_local_listenable(path_);
  EXPECT_FALSE(std::filesystem::exists(path_));
  const LocalListener listener = opened();
  try {
    sys::require_local_listenable(path_);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EADDRINUSE);
  }
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, ALiveServerAtTheTemporaryNameIsNotReplaced) {
  const sys::UniqueFd other = bound_to_path(path_ + ".new");
  EXPECT_EQ(error_of(path_), EADDRINUSE);
  EXPECT_TRUE(connected_to_path(path_ + ".new").is_open());
}

TEST_F(LocalListenerTest, TakenOverItLeavesThePathToASuccessor) {
  LocalListener first = opened();
  LocalListener adopted = taken_over(first);
  const sys::UniqueFd successor = bound_to_path(directory_.file("successor"));
  std::filesystem::rename(directory_.file("successor"), path_);
  adopted.close();
  first.close();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, TakenOverWithoutItsPathItLeavesALaterOneAlone) {
  LocalListener first = opened();
  std::filesystem::remove(path_);
  LocalListener adopted = taken_over(first);
  const sys::UniqueFd successor = bound_to_path(path_);
  adopted.close();
  EXPECT_TRUE(has_live_server());
}

TEST_F(LocalListenerTest, TheLongestPathWorksAndALongerOneIsRefused) {
  const std::size_t taken = directory_.path().string().size() + 1;
  const std::string longest = directory_.file(std::string(kLongestLocalPath - taken, 'x'));
  EXPECT_EQ(error_of(longest), 0);
  EXPECT_EQ(error_of(longest + 'x'), ENAMETOOLONG);
}

TEST_F(LocalListenerTest, RefusesAnEmptyPathAndOneWithANul) {
  EXPECT_EQ(error_of(""), EINVAL);
  EXPECT_EQ(error_of(path_ + std::string(1, '\0')), EINVAL);
}

TEST_F(LocalListenerTest, AMissingDirectoryIsNamed) {
  try {
    (void)LocalListener({.path = directory_.file("none/admin.sock")});
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.what(),
              "open " + directory_.file("none/admin.sock.lock") + ": No such file or directory");
  }
}

TEST_F(LocalListenerTest, OneOfManyThatStartAtTheSameTimeServes) {
  constexpr int kRounds = 100;
  constexpr int kStarts = 4;
  for (int round = 0; round < kRounds; ++round) {
    if (round % 2 == 0) {
      bound_to_path(path_).reset();
    }
    std::atomic<int> ready{0};
    std::atomic<int> tried{0};
    std::atomic<int> serving{0};
    std::vector<std::thread> starts;
    for (int start = 0; start < kStarts; ++start) {
      starts.emplace_back([&] {
        ++ready;
        while (ready < kStarts) {
          std::this_thread::yield();
        }
        std::optional<LocalListener> listener;
        try {
          listener.emplace(sys::LocalListenerOptions{.path = path_});
          ++serving;
        } catch (const std::system_error& error) {
          EXPECT_EQ(error.code().value(), EADDRINUSE) << error.what();
        }
        ++tried;
        while (tried < kStarts) {
          std::this_thread::yield();
        }
        EXPECT_TRUE(has_live_server());
        ++tried;
        while (tried < 2 * kStarts) {
          std::this_thread::yield();
        }
      });
    }
    for (std::thread& start : starts) {
      start.join();
    }
    ASSERT_EQ(serving, 1) << "round " << round;
    ASSERT_FALSE(std::filesystem::exists(path_));
  }
}

}  // namespace
}  // namespace echod::test
