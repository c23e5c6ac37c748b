// Datagrams to AF_UNIX sockets on the real kernel.
#include "sys/local_sender.hpp"

#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

#include "files.hpp"
#include "notify_socket.hpp"

namespace echod::test {
namespace {

using sys::LocalSender;

TEST(LocalSenderTest, SendsToAPath) {
  NotifySocket receiver;
  const LocalSender sender(receiver.path());
  ASSERT_TRUE(sender.is_open());
  EXPECT_TRUE(sender.send("first").ok());
  EXPECT_TRUE(sender.send("second").ok());
  EXPECT_EQ(receiver.wait_for("first"), "first");
  EXPECT_EQ(receiver.wait_for("second"), "second");
}

TEST(LocalSenderTest, SendsToAnAbstractName) {
  const std::string name = "@echod-test-" + std::to_string(::getpid());
  NotifySocket receiver(name);
  EXPECT_TRUE(LocalSender(name).send("hello").ok());
  EXPECT_EQ(receiver.wait_for("hello"), "hello");
}

TEST(LocalSenderTest, SendsToTheSocketThatHasTheNameNow) {
  const std::string name = "@echod-test-again-" + std::to_string(::getpid());
  const LocalSender sender(name);
  EXPECT_EQ(sender.send("to nobody").error(), ECONNREFUSED);
  {
    const NotifySocket receiver(name);
    EXPECT_TRUE(sender.send("to one").ok());
  }
  EXPECT_EQ(sender.send("to nobody").error(), ECONNREFUSED);
  NotifySocket receiver(name);
  EXPECT_TRUE(sender.send("to another").ok());
  EXPECT_EQ(receiver.wait_for("to"), "to another");
}

TEST(LocalSenderTest, IsNotOpenForATextThatIsNoAddress) {
  for (const std::string& receiver :
       {std::string(), std::string("relative"), std::string("vsock:2:1"),
        '/' + std::string(sizeof(sockaddr_un::sun_path), 'x')}) {
    EXPECT_FALSE(LocalSender(receiver).is_open()) << receiver;
  }
}

}  // namespace
}  // namespace echod::test
