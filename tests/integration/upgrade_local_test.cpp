// The path of a UNIX socket: who owns it, and what becomes of it when echod starts, stops, dies,
// reloads and is replaced by another program.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "local_fixture.hpp"
#include "passed_listener.hpp"
#include "pattern.hpp"

namespace echod::test {
namespace {

constexpr int kCannotListen = 69;
constexpr int kConfiguration = 78;

bool takes_clients(const std::string& path) {
  try {
    (void)TcpPeer(path);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

class LocalPathTest : public LocalFixture {
 protected:
  void TearDown() override {
    if (!IsSkipped() && !daemon().is_finished() && daemon().child().is_running()) {
      stop_daemon();
    }
    LocalFixture::TearDown();
  }
  // Starts another echod on the same path, which must not start.
  [[nodiscard]] ChildResult start_another(const std::string& more = "") const {
    const TemporaryDirectory other;
    write_file(other.file("echod.toml"), config(more));
    return run(
        {.arguments = {ECHOD_BINARY, "--config", other.file("echod.toml"), "--log-file", ""}});
  }
  [[nodiscard]] bool is_served() const {
    try {
      return connect_local().echoes("hello");
    } catch (const std::system_error&) {
      return false;
    }
  }
};

TEST_F(LocalPathTest, AppearsAndGoesWithTheDaemon) {
  start_local();
  EXPECT_EQ(mode(), 0660U);
  EXPECT_TRUE(is_served());
  (void)daemon().wait_for_err("listening on unix:" + path_ + ", backlog 1024");
  stop_daemon();
  EXPECT_FALSE(is_there());
}

TEST_F(LocalPathTest, ARelativePathIsInTheRuntimeDirectory) {
  start_with("[[listen]]\npath = \"echo.sock\"\n");
  EXPECT_TRUE(is_served());
}

TEST_F(LocalPathTest, ASecondDaemonIsRefusedAndNamesThePath) {
  start_local();
  const ChildResult second = start_another();
  EXPECT_EQ(second.exit_code, kCannotListen);
  EXPECT_EQ(second.err, "echod: cannot listen on unix:" + path_ + ": flock " + path_ +
                            ".lock: Address already in use; another process serves it; stop that "
                            "one, or choose another path\n");
  EXPECT_TRUE(is_served());
}

TEST_F(LocalPathTest, AfterACrashTheNextDaemonTakesItOver) {
  start_local();
  daemon().signal(SIGKILL);
  daemon().finish_stopped(128 + SIGKILL);
  ASSERT_TRUE(is_there());
  EXPECT_FALSE(is_served());
  start_local();
  EXPECT_TRUE(is_served());
}

TEST_F(LocalPathTest, AFileThatIsNoSocketStaysAsItIs) {
  write_file(path_, "precious");
  start_with("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  const ChildResult refused = start_another();
  EXPECT_EQ(refused.exit_code, kCannotListen);
  EXPECT_TRUE(
      refused.err.ends_with("a file that is not a socket has this name; choose another path\n"))
      << refused.err;
  EXPECT_EQ(read_file(path_), "precious");
}

TEST_F(LocalPathTest, AServerOfSomebodyElseIsLeftAlone) {
  const PassedListener other(path_);
  const ino_t before = status().st_ino;
  start_with("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  EXPECT_EQ(start_another().exit_code, kCannotListen);
  EXPECT_EQ(status().st_ino, before);
  EXPECT_TRUE(takes_clients(path_));
}

// A socket unit takes a path over without a word, for example.
TEST_F(LocalPathTest, ASuccessorKeepsThePathWhenTheDaemonStopsAlsoAfterAnUpgrade) {
  for (const bool upgrades : {false, true}) {
    start_local();
    const PassedListener successor(directory_.file("successor"));
    std::filesystem::rename(directory_.file("successor"), path_);
    if (upgrades) {
      upgrade_program();
    }
    stop_daemon();
    EXPECT_TRUE(takes_clients(path_));
    std::filesystem::remove(path_);
  }
}

TEST_F(LocalPathTest, ClientsThatWaitAtAStopAreServed) {
  start_local();
  daemon().freeze();
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(connect_local());
    waiting.back().send_all("waiting");
  }
  daemon().signal(SIGTERM);
  daemon().thaw();
  for (TcpPeer& peer : waiting) {
    const Tail tail = peer.receive_to_end();
    EXPECT_EQ(tail.bytes, "waiting");
    EXPECT_EQ(tail.ending, Ending::fin);
    peer.close();
  }
  daemon().finish_stopped();
}

TEST_F(LocalPathTest, AReloadAddsAndRemovesAPathAndServesItsClientsOn) {
  const std::string tcp = "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n";
  start_with(tcp);
  EXPECT_FALSE(is_there());
  upgrade_to(tcp + config());
  TcpPeer peer = connect_local();
  EXPECT_TRUE(peer.echoes("hello"));
  upgrade_to(tcp);
  EXPECT_FALSE(is_there());
  EXPECT_TRUE(peer.echoes("still here"));
  daemon().expect_counter("closed_peer_closed", 0);
  upgrade_to(tcp + config());
  EXPECT_TRUE(is_served());
}

TEST_F(LocalPathTest, ClientsThatWaitAtARemovedPathAreServed) {
  const std::string full = "workers = 2\n[limits]\nmax_connections = 1\n";
  start_with(full + config());
  daemon().expect_log("full on ");
  TcpPeer served = connect_local();
  ASSERT_TRUE(served.echoes("hello"));
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect_local());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_full", 1);
  upgrade_to("workers = 2\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  for (TcpPeer& peer : waiting) {
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
  }
}

TEST_F(LocalPathTest, AReloadChangesModeAndGroupInPlace) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to give a file to another group";
  }
  start_local();
  const struct stat before = status();
  upgrade_to(config("mode = \"0602\"\ngroup = \"daemon\"\nbacklog = 7\n"));
  EXPECT_EQ(mode(), 0602U);
  EXPECT_NE(status().st_gid, before.st_gid);
  EXPECT_EQ(status().st_ino, before.st_ino) << "no client was refused meanwhile";
  const gid_t group = status().st_gid;
  upgrade_to(config());
  EXPECT_EQ(mode(), 0660U);
  EXPECT_EQ(status().st_gid, group) << "without the key, the group stays";
  EXPECT_TRUE(is_served());
}

TEST_F(LocalPathTest, AReloadToAPathThatSomebodyServesIsRefused) {
  const std::string other = directory_.file("other.sock");
  const PassedListener server(other);
  start_local();
  daemon().expect_log("another process serves it");
  daemon().expect_log("reload: refused");
  write_config("[[listen]]\npath = \"" + other + "\"\n");
  EXPECT_EQ(request_reload(), kReloadRefused);
  EXPECT_TRUE(is_served());
  EXPECT_TRUE(takes_clients(other));
}

TEST_F(LocalPathTest, AnUpgradeKeepsThePathTheLockAndEveryConnection) {
  constexpr std::size_t kOwed = 300 * kKib;
  start_local();
  const ino_t inode = status().st_ino;
  std::vector<TcpPeer> idle;
  std::vector<TcpPeer> owed;
  for (std::uint64_t i = 0; i < 3; ++i) {
    idle.push_back(connect_local());
    ASSERT_TRUE(idle.back().echoes("hello"));
    owed.push_back(connect_local());
    owed.back().send_all(Pattern(i).slice(0, kOwed));
  }
  owed[2].half_close();
  daemon().wait_for_counter("flips_to_write", 3);
  for (int round = 0; round < 3; ++round) {
    upgrade_program();
  }
  EXPECT_EQ(status().st_ino, inode);
  EXPECT_EQ(start_another().exit_code, kCannotListen) << "the lock is held";
  EXPECT_TRUE(is_served());
  for (TcpPeer& peer : idle) {
    EXPECT_TRUE(peer.echoes("still here"));
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    owed[i].half_close();
    const Tail tail = owed[i].receive_to_end();
    EXPECT_EQ(tail.bytes.size(), kOwed);
    EXPECT_EQ(Pattern(i).first_difference(tail.bytes, 0), std::nullopt);
    EXPECT_EQ(tail.ending, Ending::fin);
  }
  daemon().expect_counter("accepted", 7);
  const std::string name = "close peer=unix:pid=" + std::to_string(getpid()) + ",uid=";
  (void)daemon().wait_for_log(name, 4);
  stop_daemon();
  EXPECT_FALSE(is_there());
}

TEST_F(LocalPathTest, AnUpgradeLosesNoClientThatConnectsMeanwhile) {
  start_local();
  std::vector<TcpPeer> peers;
  for (int round = 0; round < 5; ++round) {
    replace_program();
    daemon().signal(SIGHUP);
    for (int i = 0; i < 50; ++i) {
      peers.push_back(connect_local());
      peers.back().send_all("hello");
    }
    wait_for_upgrade();
  }
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_exactly(5), "hello");
  }
}

TEST_F(LocalPathTest, APassedSocketIsServedAndItsPathIsLeftAlone) {
  const PassedListener passed(path_);
  const struct stat before = status();
  start_replaceable(
      DaemonOptions{.config = passed.config("mode = \"0600\"\n"), .passes = {passed.fd()}});
  EXPECT_TRUE(is_served());
  upgrade_program();
  EXPECT_TRUE(is_served());
  EXPECT_EQ(status().st_mode, before.st_mode);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".lock"));
  stop_daemon();
  EXPECT_EQ(status().st_ino, before.st_ino);
  EXPECT_TRUE(takes_clients(path_)) << "the manager of services still has it";
}

TEST_F(LocalPathTest, APassedPathMustBeConfigured) {
  const PassedListener passed(path_);
  const std::string other = directory_.file("other.sock");
  write_file(directory_.file("echod.toml"), "[[listen]]\npath = \"" + other + "\"\n");
  const ChildResult result =
      run({.arguments = {ECHOD_BINARY, "--config", directory_.file("echod.toml"), "--log-file", ""},
           .environment = {"LISTEN_FDNAMES=echo"},
           .passes = {passed.fd()}});
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(result.err, "echod: socket activation: [[listen]] unix:" + other +
                            " is not among the passed sockets: unix:" + path_ +
                            " (echo); change [[listen]], or ListenStream= and ListenDatagram= of "
                            "the socket unit\n");
  start_with("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
}

TEST_F(LocalPathTest, RootOnlyUsersWithTheRightMayConnect) {
  constexpr uid_t kNobody = 65534;
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become another user";
  }
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
  const auto check_as_nobody = [this] {
    return run({.arguments = {ECHOLOAD_BINARY, "check", "unix:" + path_}, .user = kNobody});
  };
  start_local();
  const ChildResult refused = check_as_nobody();
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE((refused.out + refused.err).find("Permission denied"), std::string::npos)
      << refused.out << refused.err;
  upgrade_to(config("owner = \"65534\"\nmode = \"0600\"\n"));
  EXPECT_EQ(status().st_uid, kNobody);
  EXPECT_EQ(check_as_nobody().exit_code, 0);
}

}  // namespace
}  // namespace echod::test
