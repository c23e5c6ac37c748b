// Each key that only an upgrade applies is in force after it, also for what was open before.
// upgrade_listen_test tests [[listen]].
#include <netinet/tcp.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <set>

#include "admin_client.hpp"
#include "foreign_sockets.hpp"
#include "reserved_port.hpp"
#include "sizes.hpp"
#include "text_match.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

class UpgradeKeysTest : public UpgradeFixture {
 protected:
  void TearDown() override {
    stop_daemon();
    UpgradeFixture::TearDown();
  }
  [[nodiscard]] std::size_t worker_threads() {
    std::size_t count = 0;
    const std::string tasks = "/proc/" + std::to_string(daemon().pid()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      count += read_file(task.path() / "comm").starts_with("worker-") ? 1U : 0U;
    }
    return count;
  }
};

TEST_F(UpgradeKeysTest, workers) {
  start_replaceable("workers = 2\n");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 12; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
  }
  std::uint64_t echoes = peers.size();
  for (const std::size_t workers : {5U, 1U, 3U}) {
    upgrade_to("workers = " + std::to_string(workers) + '\n');
    EXPECT_EQ(worker_threads(), workers);
    for (TcpPeer& peer : peers) {
      ASSERT_TRUE(peer.echoes("hello"));
    }
    echoes += peers.size();
    const auto counters = daemon().counters();
    EXPECT_EQ(counters.at("workers"), workers);
    EXPECT_EQ(counters.at("connections"), peers.size());
    EXPECT_EQ(counters.at("connections_of_fullest_worker"), (peers.size() + workers - 1) / workers);
    EXPECT_EQ(counters.at("accepted"), peers.size());
    daemon().expect_counter("echoes", echoes);
  }
}

TEST_F(UpgradeKeysTest, open_files) {
  start_replaceable("[limits]\nopen_files = 500\n");
  const std::string limits = "/proc/" + std::to_string(daemon().pid()) + "/limits";
  for (const std::string files : {"300", "800"}) {
    upgrade_to("[limits]\nopen_files = " + files + '\n');
    EXPECT_TRUE(matches(read_file(limits), "Max open files +" + files + ' ')) << read_file(limits);
    EXPECT_NE(daemon().wait_for_err("limits: ", upgrades_ + 1).find(files + " open files"),
              std::string::npos);
  }
}

// The log file, or the next upgrade, would find no descriptor.
TEST_F(UpgradeKeysTest, open_files_for_fewer_than_the_open_connections_is_refused) {
  start_replaceable("workers = 1\n[limits]\nopen_files = 500\n");
  daemon().expect_log("upgrade: " + daemon().program_path() +
                      ": 100 connections are open, but the new configuration allows only ");
  daemon().expect_log("reload: refused");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
  }
  write_config("workers = 1\n[limits]\nopen_files = 120\n");
  EXPECT_EQ(request_reload(), kReloadRefused);
  for (TcpPeer& peer : peers) {
    ASSERT_TRUE(peer.echoes("still here"));
  }
  write_config("workers = 200\n[limits]\nopen_files = 500\n");
  EXPECT_EQ(request_reload(), kReloadRefused) << "each worker needs two";
  upgrade_to("workers = 1\n[limits]\nopen_files = 200\n");
  for (TcpPeer& peer : peers) {
    ASSERT_TRUE(peer.echoes("still here"));
  }
}

// 16 lines are too few for a burst of connections, 100000 are enough.
TEST_F(UpgradeKeysTest, queue_lines) {
  start_replaceable("[log]\nqueue_lines = 100000\n");
  upgrade_to("[log]\nqueue_lines = 16\n");
  make_it_drop_log_lines();
}

class UpgradeSocketKeysTest : public UpgradeKeysTest {
 protected:
  void SetUp() override {
    UpgradeKeysTest::SetUp();
    if (!may_see_foreign_sockets()) {
      GTEST_SKIP() << kNoForeignSockets;
    }
  }
  void TearDown() override {
    if (!IsSkipped()) {
      UpgradeKeysTest::TearDown();
    }
  }
  // Upgrades, and expects that the option has this value for the listener and for new connections.
  void expect_option(const std::string& key, int level, int option, int value) {
    upgrade_to("[socket]\n" + key + '\n');
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello"));
    const auto listening = sockets_of(daemon().pid(), daemon().port());
    ASSERT_EQ(listening.size(), 1U);
    EXPECT_EQ(listening.front().option(level, option), value) << key << " of the listener";
    for (const ForeignSocket& socket : sockets_of(daemon().pid(), daemon().port(), true)) {
      EXPECT_EQ(socket.option(level, option), value) << key << " of the connection";
    }
    peer.reset();
    daemon().expect_counter("connections", 0);
  }
};

TEST_F(UpgradeSocketKeysTest, no_delay) {
  start_replaceable();
  expect_option("no_delay = false", IPPROTO_TCP, TCP_NODELAY, 0);
  expect_option("no_delay = true\nkeepalive_probes = 3", IPPROTO_TCP, TCP_NODELAY, 1);
}

TEST_F(UpgradeSocketKeysTest, keepalive) {
  start_replaceable("[socket]\nkeepalive = true\n");
  expect_option("keepalive = false", SOL_SOCKET, SO_KEEPALIVE, 0);
  expect_option("keepalive = true", SOL_SOCKET, SO_KEEPALIVE, 1);
}

TEST_F(UpgradeSocketKeysTest, keepalive_times_and_user_timeout) {
  start_replaceable();
  expect_option("keepalive_idle_s = 77", IPPROTO_TCP, TCP_KEEPIDLE, 77);
  expect_option("keepalive_interval_s = 7", IPPROTO_TCP, TCP_KEEPINTVL, 7);
  expect_option("keepalive_probes = 3", IPPROTO_TCP, TCP_KEEPCNT, 3);
  expect_option("user_timeout_s = 20", IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
  expect_option("user_timeout_s = 0", IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

// getsockopt(2) returns twice the value that was set.
TEST_F(UpgradeSocketKeysTest, receive_buffer_kib) {
  start_replaceable();
  expect_option("receive_buffer_kib = 64", SOL_SOCKET, SO_RCVBUF, 2 * 64 * kKib);
  expect_option("receive_buffer_kib = 32", SOL_SOCKET, SO_RCVBUF, 2 * 32 * kKib);
}

TEST_F(UpgradeSocketKeysTest, send_buffer_kib) {
  start_replaceable();
  expect_option("send_buffer_kib = 64", SOL_SOCKET, SO_SNDBUF, 2 * 64 * kKib);
  expect_option("send_buffer_kib = 32", SOL_SOCKET, SO_SNDBUF, 2 * 32 * kKib);
}

// Without a fixed size the kernel lets the buffers of a connection grow.
TEST_F(UpgradeSocketKeysTest, buffers_whose_size_the_kernel_chooses_again) {
  constexpr int kBufferLock = 72;  // SO_BUF_LOCK, Linux 5.14.
  start_replaceable("[socket]\nreceive_buffer_kib = 64\nsend_buffer_kib = 64\n");
  const auto locks = [this] {
    return sockets_of(daemon().pid(), daemon().port()).front().option(SOL_SOCKET, kBufferLock);
  };
  if (locks() < 0) {
    GTEST_SKIP() << "needs Linux 5.14";
  }
  ASSERT_EQ(locks(), 3);
  expect_option("no_delay = true", SOL_SOCKET, kBufferLock, 0);
}

class UpgradeAdminTest : public UpgradeKeysTest {
 protected:
  [[nodiscard]] std::string socket_path(const std::string& name) {
    return daemon().directory().file(name);
  }
  [[nodiscard]] static std::string config(const std::string& path, const std::string& more = "") {
    return "[admin]\nsocket = \"" + path + "\"\n" + more;
  }
  [[nodiscard]] static bool answers(const std::string& path) {
    return AdminClient(path).get("/healthz").status == 200;
  }
  [[nodiscard]] static bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
  }
};

TEST_F(UpgradeAdminTest, socket) {
  start_replaceable();
  const std::string first = socket_path("first.sock");
  const std::string second = socket_path("second.sock");
  upgrade_to(config(first));
  EXPECT_TRUE(answers(first));
  upgrade_to(config(second));
  EXPECT_TRUE(answers(second));
  EXPECT_FALSE(exists(first)) << "the socket that is not configured any more";
  upgrade_to(config(""));
  EXPECT_FALSE(exists(second));
  upgrade_to(config(first));
  EXPECT_TRUE(answers(first));
}

TEST_F(UpgradeAdminTest, address_and_port) {
  start_replaceable();
  const ReservedPort first;
  const ReservedPort second;
  const auto with_port = [](const ReservedPort& port) {
    return config("", "address = \"127.0.0.1\"\nport = " + std::to_string(port.port()) + '\n');
  };
  const auto status_at = [](const ReservedPort& port) {
    TcpPeer peer("127.0.0.1", port.port());
    peer.send_all(request_text("GET", "/healthz"));
    return peer.receive_exactly(12);
  };
  upgrade_to(with_port(first));
  EXPECT_EQ(status_at(first), "HTTP/1.1 200");
  upgrade_to(with_port(second));
  EXPECT_EQ(status_at(second), "HTTP/1.1 200");
  EXPECT_THROW((void)status_at(first), std::system_error);
  upgrade_to(config(""));
  EXPECT_THROW((void)status_at(second), std::system_error);
}

TEST_F(UpgradeAdminTest, ASocketThatStaysRefusesNoRequest) {
  start_replaceable();
  const std::string path = socket_path("admin.sock");
  upgrade_to(config(path));
  struct stat before {};
  ASSERT_EQ(lstat(path.c_str(), &before), 0);
  for (int round = 0; round < 3; ++round) {
    replace_program();
    daemon().signal(SIGHUP);
    ++upgrades_;
    do {
      // A request that had begun when the old program ended gets no answer; a connection is never
      // refused.
      const AdminConnection connection(path);
      (void)connection.sends(request_text("GET", "/healthz"));
    } while (daemon().count_log(kUpgraded) < upgrades_);
    EXPECT_TRUE(answers(path));
  }
  struct stat after {};
  ASSERT_EQ(lstat(path.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
}

}  // namespace
}  // namespace echod::test
