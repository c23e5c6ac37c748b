// Notifications to a manager that does not read its socket for a while. Uses real sockets.
#include "service/service_manager.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "notify_socket.hpp"
#include "sys/local_sender.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class UnreadManagerTest : public testing::Test {
 protected:
  UnreadManagerTest() { name("NOTIFY_SOCKET", socket_->path()); }
  ~UnreadManagerTest() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
  }

  static void name(const char* variable, const std::string& value) {
    setenv(variable, value.c_str(), 1);
  }
  void fill() {
    socket_->fill();
    EXPECT_TRUE(sys::LocalSender(socket_->path()).send("filler").would_block());
  }
  // The next message that contains `text`; filler messages do not.
  std::string next(const std::string& text) { return socket_->wait_for(text); }

  std::optional<NotifySocket> socket_{std::in_place};
};

TEST_F(UnreadManagerTest, GetsTheQueuedReadyMessageOnceItReads) {
  ServiceManager manager;
  fill();
  manager.ready("a status");
  EXPECT_TRUE(manager.has_unsent());
  manager.send_again();
  EXPECT_TRUE(manager.has_unsent());
  EXPECT_EQ(socket_->count_during(50ms, "READY=1"), 0U);  // Reads the filler messages.
  manager.send_again();
  EXPECT_FALSE(manager.has_unsent());
  EXPECT_EQ(next("="), "READY=1");
  manager.status("a status");
  EXPECT_EQ(next("="), "STATUS=a status") << "READY=1 was sent without it";
}

TEST_F(UnreadManagerTest, GetsTheLastMessageOfEachKindInOrder) {
  name("WATCHDOG_USEC", "30000000");
  ServiceManager manager;
  fill();
  manager.ready("a status");
  for (int i = 0; i < 100; ++i) {
    manager.reloading();
    manager.ready("a status");
    manager.alive();
    manager.status("another status");
  }
  manager.stopping();
  manager.extend_timeout(1s);
  manager.extend_timeout(2s);
  (void)socket_->count_during(50ms, "");
  manager.send_again();
  EXPECT_EQ(next("=").substr(0, 12), "RELOADING=1\n");
  EXPECT_EQ(next("="), "READY=1");
  EXPECT_EQ(next("="), "WATCHDOG=1");
  EXPECT_EQ(next("="), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(next("="), "EXTEND_TIMEOUT_USEC=2000000");
  EXPECT_FALSE(manager.has_unsent());
}

TEST_F(UnreadManagerTest, DoesNotBlockTheEnd) {
  ServiceManager manager;
  fill();
  manager.stopping();
  manager.flush();  // Returns.
  manager.failed("a failure", 0);
  EXPECT_TRUE(manager.has_unsent());
}

TEST_F(UnreadManagerTest, IfGoneIsReportedOnceAndItsMessagesAreKept) {
  ServiceManager manager;
  socket_.reset();
  manager.ready("a status");
  EXPECT_NE(manager.take_error(), 0);
  manager.stopping();
  EXPECT_EQ(manager.take_error(), 0);
  EXPECT_TRUE(manager.has_unsent());
}

TEST_F(UnreadManagerTest, UnusableNamesAreReportedAndAnEmptyOneIsIgnored) {
  for (const std::string unusable : {"relative", "vsock:2:1"}) {
    name("NOTIFY_SOCKET", unusable);
    const ServiceManager manager;
    EXPECT_FALSE(manager.is_present());
    EXPECT_EQ(manager.unusable_name(), unusable);
  }
  name("NOTIFY_SOCKET", "");
  EXPECT_FALSE(ServiceManager().is_present());
  EXPECT_EQ(ServiceManager().unusable_name(), "");
}

}  // namespace
}  // namespace echod::test
