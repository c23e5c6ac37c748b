// Empty environment variables, and changes of the time zone.
#include <cmath>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <optional>

#include "daemon_test.hpp"
#include "notify_socket.hpp"
#include "own_etc.hpp"
#include "passed_listener.hpp"

namespace echod::test {
namespace {

class EnvironmentTest : public DaemonTest {};

TEST_F(EnvironmentTest, EmptyVariablesCountAsUnset) {
  start(DaemonOptions{
      .environment = {"LOGS_DIRECTORY=", "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
                      "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "JOURNAL_STREAM="},
      .has_log_argument = false});
  EXPECT_NE(daemon().wait_for_log("started: ").find(" - network-server - INFO - "),
            std::string::npos);
}

TEST_F(EnvironmentTest, PassedSocketsNeedNoNames) {
  const PassedListener listener;
  start(DaemonOptions{
      .config = listener.config(), .environment = {"LISTEN_FDNAMES="}, .passes = {listener.fd()}});
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(EnvironmentTest, TheWatchdogWorksWithoutWatchdogPid) {
  NotifySocket manager;
  start(DaemonOptions{
      .environment = {manager.variable(), "WATCHDOG_USEC=20000000", "WATCHDOG_PID="}});
  EXPECT_NE(manager.wait_for("WATCHDOG=1"), "");
  daemon().finish();
}

// The bytes of a tzfile(5) with one constant offset.
std::string zone_file(std::int32_t offset, const std::string& name) {
  std::string bytes = "TZif";
  bytes.resize(20);  // The first version.
  const auto append = [&bytes](std::uint32_t number) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(number >> shift));
    }
  };
  for (const std::size_t count :
       std::initializer_list<std::size_t>{0, 0, 0, 0, 1, name.size() + 1}) {
    append(static_cast<std::uint32_t>(count));  // One type, and the length of its name.
  }
  append(static_cast<std::uint32_t>(offset));
  return bytes + std::string(2, '\0') + name + '\0';
}

// The offset of a log line's time from UTC, rounded to half an hour.
double offset_hours(const std::string& line) {
  std::tm time{};
  EXPECT_NE(strptime(line.c_str(), "%Y-%m-%d %H:%M:%S", &time), nullptr) << line;
  return std::round(std::difftime(timegm(&time), std::time(nullptr)) / 1800) / 2;
}

// Runs echod in a mount namespace where /etc is a folder of the test.
class EtcTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_have_own_etc()) {
      GTEST_SKIP() << kNoOwnEtc;
    }
  }
  void start() {
    child_.emplace(ChildOptions{
        .arguments = with_own_etc(etc_.path(), {"env", "-u", "TZ", ECHOD_BINARY, "--address",
                                                "127.0.0.1", "--port", "0", "--log-file", log_})});
    wait_for("started: ");
  }
  void wait_for(const std::string& text) const {
    wait_until(text, [&] { return read_file(log_).find(text) != std::string::npos; });
  }
  void stop() {
    child_->signal(SIGTERM);
    EXPECT_EQ(child_->wait(), 0);
  }
  // Replaces /etc/localtime, as an update of the package tzdata does.
  void set_zone(std::int32_t offset, const std::string& name) const {
    write_file(etc_.file("new"), zone_file(offset, name));
    std::filesystem::rename(etc_.file("new"), etc_.file("localtime"));
  }
  // spdlog reads the time zone at most once a second.
  void wait_for_offset(double hours) {
    wait_until("lines in the new zone", [&] {
      child_->signal(SIGUSR2);
      // Ignores an incomplete last line: a write may become visible page by page.
      const std::string text = read_file(log_);
      const std::vector<std::string> lines = lines_of(text.substr(0, text.rfind('\n') + 1));
      return !lines.empty() && offset_hours(lines.back()) == hours;
    });
  }

  const TemporaryDirectory etc_;
  const TemporaryDirectory directory_;
  const std::string log_ = directory_.file("log");
  std::optional<ChildProcess> child_;
};

TEST_F(EtcTest, AChangedTimeZoneIsSeenAtAReopenAndAtAReload) {
  set_zone(5 * 3600 + 1800, "ABC");
  start();
  wait_for("time zone +0530 (ABC)");
  wait_for_offset(5.5);
  set_zone(-3 * 3600, "XYZ");
  child_->signal(SIGUSR1);
  wait_for("log file reopened, time zone -0300 (XYZ)");
  wait_for_offset(-3);
  set_zone(8 * 3600, "UVW");
  child_->signal(SIGHUP);
  wait_for("reload: applied");
  wait_for_offset(8);
  stop();
}

}  // namespace
}  // namespace echod::test
