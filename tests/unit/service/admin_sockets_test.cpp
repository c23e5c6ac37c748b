#include "service/admin_sockets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/service_access.hpp"
#include "files.hpp"
#include "local_socket.hpp"
#include "reserved_port.hpp"
#include "service/exit_codes.hpp"
#include "tcp_peer.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

class AdminSocketsTest : public testing::Test {
 protected:
  AdminSocketsTest() { unsetenv("RUNTIME_DIRECTORY"); }
  ~AdminSocketsTest() override { unsetenv("RUNTIME_DIRECTORY"); }
};

TEST_F(AdminSocketsTest, PutARelativePathIntoTheRuntimeDirectory) {
  setenv("RUNTIME_DIRECTORY", "/run/echod", 1);
  EXPECT_EQ(admin_socket_path({}), "/run/echod/admin.sock");
  setenv("RUNTIME_DIRECTORY", "/run/first:/run/second", 1);
  EXPECT_EQ(admin_socket_path({}), "/run/first/admin.sock");
}

TEST_F(AdminSocketsTest, AreNoneForARelativePathWithoutARuntimeDirectory) {
  EXPECT_EQ(admin_socket_path({}), "");
  EXPECT_FALSE(wants_admin({}));
  EXPECT_EQ(admin_descriptors(AdminConfig{}), 0U);
}

TEST_F(AdminSocketsTest, KeepAnAbsolutePath) {
  AdminConfig config;
  config.socket = "/srv/echod.sock";
  EXPECT_EQ(admin_socket_path(config), "/srv/echod.sock");
  EXPECT_TRUE(wants_admin(config));
}

TEST_F(AdminSocketsTest, AreNoneForAnEmptyPath) {
  setenv("RUNTIME_DIRECTORY", "/run/echod", 1);
  AdminConfig config;
  config.socket = "";
  EXPECT_FALSE(wants_admin(config));
  config.address = "127.0.0.1";
  EXPECT_TRUE(wants_admin(config));
}

TEST_F(AdminSocketsTest, NeedDescriptorsForAllConnections) {
  AdminConfig config;
  config.address = "::1";
  EXPECT_GT(admin_descriptors(config), HttpServer::kConnections);
}

// Nothing asks it: no test starts the admin thread.
class UnusedService final : public ServiceAccess {
 public:
  [[nodiscard]] Phase phase() const noexcept override { return Phase::serving; }
  [[nodiscard]] bool is_stuck(std::size_t /*worker*/) const noexcept override { return false; }
  [[nodiscard]] std::uint64_t worker_stalls() const noexcept override { return 0; }
  [[nodiscard]] ServiceFacts facts() const override { return {}; }
  [[nodiscard]] LogSnapshot log() const override { return {}; }
  void report(std::string_view /*problem*/, int /*error*/) noexcept override {}
  void set_log_levels(const LogLevels& /*levels*/) noexcept override {}
  void drain() noexcept override {}
  void reload(ReloadMode /*mode*/) noexcept override {}
};

// Sockets of one Admin that another one takes over, as after an upgrade.
class CarriedAdminSocketsTest : public WorkersFixture {
 protected:
  CarriedAdminSocketsTest() {
    config_.socket = directory_.file("admin.sock");
    config_.address = "127.0.0.1";
    config_.port = 0;
    open_admin_sockets(*first_, config_);
  }
  // The state, with descriptors that the caller owns. The first Admin ends as by execve(2): its
  // path stays.
  AdminState saved_state() {
    AdminState state = state_of(*first_);
    for (int* const fd : {&state.unix_fd, &state.unix_lock_fd, &state.tcp_fd}) {
      *fd = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
    }
    const std::string path = state.unix_path;
    std::filesystem::rename(path, path + ".kept");
    first_.reset();
    std::filesystem::rename(path + ".kept", path);
    return state;
  }
  std::unique_ptr<Admin> new_admin() {
    return std::make_unique<Admin>(*workers_, service_, listeners_);
  }
  [[nodiscard]] static bool is_served(const std::string& path) {
    return connected_to_path(path).is_open();
  }
  [[nodiscard]] static bool is_served(const SocketAddress& address) {
    try {
      (void)TcpPeer("127.0.0.1", address.port());
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  TemporaryDirectory directory_;
  AdminConfig config_;
  UnusedService service_;
  std::vector<std::shared_ptr<const sys::ListenSocket>> listeners_;
  std::unique_ptr<Workers> workers_ = make(1);
  std::unique_ptr<Admin> first_ = new_admin();
};

TEST_F(CarriedAdminSocketsTest, AreDescribedWithTheirDescriptors) {
  const AdminState state = state_of(*first_);
  EXPECT_EQ(state.unix_path, config_.socket);
  EXPECT_TRUE(is_open_descriptor(state.unix_fd));
  EXPECT_TRUE(is_open_descriptor(state.unix_lock_fd));
  EXPECT_TRUE(is_open_descriptor(state.tcp_fd));
  EXPECT_NE(state.tcp_address.port(), 0) << "the port that operators use";
  EXPECT_EQ(state_of(*new_admin()), AdminState{});
}

TEST_F(CarriedAdminSocketsTest, StayOpenIfTheConfigurationHasThemStill) {
  const AdminState state = saved_state();
  const auto next = new_admin();
  open_admin_sockets(*next, config_, restore_admin_sockets(state));
  EXPECT_EQ(state_of(*next), state) << "port 0 is any port: that of the earlier program too";
  EXPECT_TRUE(is_served(config_.socket));
  EXPECT_TRUE(is_served(state.tcp_address));
}

TEST_F(CarriedAdminSocketsTest, AnotherPathReplacesTheEarlierOneAndRemovesIt) {
  const AdminState state = saved_state();
  const std::string earlier = config_.socket;
  config_.socket = directory_.file("other.sock");
  const auto next = new_admin();
  open_admin_sockets(*next, config_, restore_admin_sockets(state));
  EXPECT_TRUE(is_served(config_.socket));
  EXPECT_FALSE(std::filesystem::exists(earlier));
  EXPECT_FALSE(is_open_descriptor(state.unix_fd));
  EXPECT_EQ(next->tcp_socket()->fd.get(), state.tcp_fd);
}

TEST_F(CarriedAdminSocketsTest, AnotherPortReplacesTheEarlierOne) {
  const AdminState state = saved_state();
  const ReservedPort reserved;
  config_.port = reserved.port();
  const auto next = new_admin();
  open_admin_sockets(*next, config_, restore_admin_sockets(state));
  EXPECT_EQ(next->tcp_socket()->address.port(), reserved.port());
  EXPECT_FALSE(is_served(state.tcp_address));
  EXPECT_EQ(next->local_socket()->fd(), state.unix_fd);
}

TEST_F(CarriedAdminSocketsTest, TheSamePortOnAnotherAddressIsFreeAgain) {
  const AdminState state = saved_state();
  config_.address = "0.0.0.0";
  config_.port = state.tcp_address.port();
  const auto next = new_admin();
  open_admin_sockets(*next, config_, restore_admin_sockets(state));
  EXPECT_TRUE(next->tcp_socket()->address.is_any());
  EXPECT_EQ(next->tcp_socket()->address.port(), state.tcp_address.port());
}

TEST_F(CarriedAdminSocketsTest, ThatAreNotConfiguredAnyMoreAreClosed) {
  const AdminState state = saved_state();
  const auto next = new_admin();
  open_admin_sockets(*next, {.socket = "", .address = ""}, restore_admin_sockets(state));
  EXPECT_EQ(state_of(*next), AdminState{});
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
  EXPECT_FALSE(is_served(state.tcp_address));
}

TEST_F(CarriedAdminSocketsTest, APathThatCannotBeServedClosesTheEarlierOnes) {
  const AdminState state = saved_state();
  const auto next = new_admin();
  const std::string missing = directory_.file("none/admin.sock");
  EXPECT_THROW(
      open_admin_sockets(*next, {.socket = missing, .address = ""}, restore_admin_sockets(state)),
      StartupError);
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(CarriedAdminSocketsTest, AStateWithoutSocketsHasNoneToTakeOver) {
  const OpenAdminSockets open = restore_admin_sockets(AdminState{});
  EXPECT_FALSE(open.local.is_open());
  EXPECT_FALSE(open.tcp);
}

}  // namespace
}  // namespace echod::test
