#include "service/upgrade_check.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "config/config_errors.hpp"
#include "files.hpp"
#include "reserved_port.hpp"
#include "service/connection_limit.hpp"
#include "service/exit_codes.hpp"
#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

// Keeps the limit on open files, which a check changes.
class UpgradeCheckTest : public testing::Test {
 protected:
  UpgradeCheckTest() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit_), 0);
    soft_limit_before_ = limit_.rlim_cur;
  }
  ~UpgradeCheckTest() override { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit_), 0); }

  Config check(const std::string& text) {
    const std::string path = directory_.file("echod.toml");
    const bool has_admin = text.find("[admin]") != std::string::npos;
    write_file(path, text + (has_admin ? "" : "[admin]\nsocket = \"\"\n"));
    rlimit before = limit_;
    before.rlim_cur = soft_limit_before_;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CommandLine options;
    options.config_file = path;
    return config_for_upgrade(options, state_);
  }
  // Returns the refusal with this exit code, or "" if the configuration is accepted.
  std::string refusal_of(const std::string& text, ExitCode code = ExitCode::configuration) {
    try {
      (void)check(text);
      return "";
    } catch (const StartupError& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
  }
  static std::string listen_at(std::uint16_t port) {
    return "[[listen]]\naddress = \"127.0.0.1\"\nport = " + std::to_string(port) + '\n';
  }
  static std::string limited_to(std::uint64_t open_files, const std::string& more = "") {
    return more + "[limits]\nopen_files = " + std::to_string(open_files) + '\n' + listen_at(0);
  }
  // So many connections have been accepted, and so many have ended.
  void serve(std::uint64_t accepted, std::uint64_t closed) {
    WorkerState& worker = state_.workers.emplace_back();
    worker.counters = {{"accepted", accepted},
                       {"accepts_declined", 1000000},
                       {"closed_reset", closed},
                       {"bytes_received", 1000000}};
  }

  TemporaryDirectory directory_;
  ServiceState state_;
  rlim_t soft_limit_before_ = 0;  // Of the program that serves.

 private:
  rlimit limit_{};
};

TEST_F(UpgradeCheckTest, ReturnsTheConfigurationThatItWouldUse) {
  const Config config = check("workers = 3\n[turn]\nreads = 5\n" + listen_at(0));
  EXPECT_EQ(config.turn.reads, 5U);
  EXPECT_EQ(config.listen.front().address.text(), "127.0.0.1:0");
}

TEST_F(UpgradeCheckTest, AWrongConfigurationIsRefusedWithItsErrors) {
  try {
    (void)check("[turn]\nreads = 0\n");
    FAIL() << "accepted";
  } catch (const ConfigErrors& errors) {
    ASSERT_EQ(errors.lines().size(), 1U);
    EXPECT_TRUE(errors.lines().front().starts_with(directory_.file("echod.toml") + ":2:"))
        << errors.lines().front();
  }
}

TEST_F(UpgradeCheckTest, AnAddressInUseIsRefusedUnlessItIsOurOwn) {
  const sys::ListenSocket other =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 1, false, {});
  const std::string text = listen_at(other.address.port());
  EXPECT_TRUE(refusal_of(text, ExitCode::cannot_listen)
                  .starts_with("cannot listen on " + other.address.text()));
  ListenerState& own = state_.listeners.emplace_back();
  own.wanted = own.address = other.address;
  EXPECT_EQ(refusal_of(text), "");
}

TEST_F(UpgradeCheckTest, WithoutDescriptorsForConnectionsItIsRefused) {
  const std::string refusal = refusal_of(limited_to(64, "workers = 40\n"));
  EXPECT_TRUE(refusal.starts_with("ulimit -n allows 64 open files, but serving one connection"))
      << refusal;
}

TEST_F(UpgradeCheckTest, DescriptorsThatTheProcessInheritedAreCounted) {
  constexpr std::uint64_t kLimit = 100;
  const std::uint64_t reserved = reserved_descriptors(1, 1, 0);
  state_.foreign_descriptors = kLimit - reserved - 1;
  EXPECT_EQ(refusal_of(limited_to(kLimit, "workers = 1\n")), "");
  ++state_.foreign_descriptors;
  EXPECT_NE(refusal_of(limited_to(kLimit, "workers = 1\n")), "");
}

// With more workers, or a lower limit.
TEST_F(UpgradeCheckTest, WithMoreConnectionsThanDescriptorsItIsRefused) {
  constexpr std::uint64_t kLimit = 200;
  const std::uint64_t reserved = reserved_descriptors(1, 1, 0);
  serve(500, 480);
  serve(kLimit - reserved - 20, 0);
  EXPECT_EQ(refusal_of(limited_to(kLimit, "workers = 1\n")), "");
  const std::string open = std::to_string(kLimit - reserved);
  const std::string refusal = refusal_of(limited_to(kLimit, "workers = 2\n"));
  EXPECT_TRUE(refusal.starts_with(open +
                                  " connections are open, but the new configuration allows only " +
                                  std::to_string(kLimit - reserved_descriptors(1, 2, 0)) + ";"))
      << refusal;
  EXPECT_NE(refusal_of(limited_to(kLimit - 1, "workers = 1\n")), "");
}

TEST_F(UpgradeCheckTest, ConnectionsThatAreTooManyAlreadyAreNoReasonForARefusal) {
  constexpr std::uint64_t kLimit = 200;
  serve(kLimit, 0);
  state_.listeners.resize(1);
  soft_limit_before_ = kLimit;
  EXPECT_EQ(refusal_of(limited_to(kLimit, "workers = 1\n")), "");
  EXPECT_NE(refusal_of(limited_to(kLimit, "workers = 2\n")), "");
}

// The admin thread needs descriptors too.
TEST_F(UpgradeCheckTest, NewAdminAccessIsRefusedIfItTakesTheDescriptorsOfConnections) {
  constexpr std::uint64_t kLimit = 300;
  const std::string admin = "[admin]\nsocket = \"" + directory_.file("admin.sock") + "\"\n";
  serve(kLimit - reserved_descriptors(1, 1, 0), 0);
  state_.listeners.resize(1);
  soft_limit_before_ = kLimit;
  EXPECT_EQ(refusal_of(limited_to(kLimit, "workers = 1\n")), "");
  EXPECT_NE(refusal_of(limited_to(kLimit, "workers = 1\n") + admin), "");
}

TEST_F(UpgradeCheckTest, AnAdminAddressInUseIsRefusedUnlessItIsOurOwnOrFreed) {
  const sys::ListenSocket other =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 1, false, {});
  const auto admin = [&](const std::string& address) {
    return listen_at(0) + "[admin]\nsocket = \"\"\naddress = \"" + address +
           "\"\nport = " + std::to_string(other.address.port()) + '\n';
  };
  EXPECT_TRUE(refusal_of(admin("127.0.0.1"), ExitCode::cannot_listen)
                  .starts_with("cannot listen on " + other.address.text()));
  state_.admin.tcp_fd = other.fd.get();
  state_.admin.tcp_address = other.address;
  EXPECT_EQ(refusal_of(admin("127.0.0.1")), "");
  EXPECT_EQ(refusal_of(admin("0.0.0.0")), "");
  state_.admin = {};
  ListenerState& leaving = state_.listeners.emplace_back();
  leaving.wanted = leaving.address = other.address;
  EXPECT_EQ(refusal_of(admin("127.0.0.1")), "");
}

TEST_F(UpgradeCheckTest, AnAdminPathThatCannotBeOpenedIsRefusedUnlessItIsOpen) {
  const std::string path = directory_.file("missing/admin.sock");
  const std::string admin = listen_at(0) + "[admin]\nsocket = \"" + path + "\"\n";
  EXPECT_TRUE(refusal_of(admin).starts_with("cannot open the admin socket " + path));
  state_.admin.unix_path = path;
  EXPECT_EQ(refusal_of(admin), "");
}

TEST_F(UpgradeCheckTest, ListensOnNothingAfterwards) {
  const ReservedPort reserved;
  const SocketAddress address = *SocketAddress::parse("127.0.0.1", reserved.port());
  EXPECT_EQ(refusal_of(listen_at(reserved.port())), "");
  EXPECT_NO_THROW((void)sys::open_listener(address, 1, false, {}));
}

}  // namespace
}  // namespace echod::test
