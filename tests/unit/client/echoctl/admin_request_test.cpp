#include "client/echoctl/admin_request.hpp"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>

#include "client/echoctl/exit_codes.hpp"
#include "files.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using ctl::AdminRequest;
using ctl::ExitCode;
using ctl::FatalError;
using std::chrono::milliseconds;

constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

class AdminRequestTest : public testing::Test {
 protected:
  AdminRequest request(const std::string& method = "GET", const std::string& target = "/healthz") {
    return AdminRequest({.path = "/run/echod/admin.sock", .timeout = std::chrono::seconds(5)},
                        method, target);
  }
  // Scripts a connection that has taken the request.
  void connect() {
    kernel_.expect_socket(kFd);
    kernel_.expect_connect(kFd);
    kernel_.expect_send_any(kFd);
  }
  // The error with which advance() fails.
  static FatalError failure(AdminRequest& request) {
    try {
      (void)request.advance();
    } catch (const FatalError& error) {
      return error;
    }
    ADD_FAILURE() << "no failure";
    return {ExitCode::success, ""};
  }
  FatalError connect_failure(int error) {
    kernel_.expect_socket(kFd);
    kernel_.expect_connect(kFd, error);
    AdminRequest refused = request();
    const FatalError failed = failure(refused);
    EXPECT_TRUE(kernel_.was_closed(kFd));
    return failed;
  }

  ScriptedKernel kernel_;
};

TEST_F(AdminRequestTest, ARequestIsOneOfHttp11WithoutABody) {
  connect();
  kernel_.expect_recv(kFd, kAnswer);
  AdminRequest get = request("GET", "/connections?limit=1");
  ASSERT_TRUE(get.advance());
  EXPECT_TRUE(
      kernel_.sent(kFd).starts_with("GET /connections?limit=1 HTTP/1.1\r\nHost: localhost\r\n"));
  EXPECT_TRUE(kernel_.sent(kFd).ends_with("\r\nConnection: close\r\n\r\n"));
  const sockaddr_storage to = kernel_.connected_to(kFd);
  EXPECT_EQ(to.ss_family, AF_UNIX);
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un&>(to).sun_path, "/run/echod/admin.sock");
}

TEST_F(AdminRequestTest, APostSaysThatItHasNoBody) {
  connect();
  kernel_.expect_recv(kFd, kAnswer);
  AdminRequest post = request("POST", "/drain");
  ASSERT_TRUE(post.advance());
  EXPECT_TRUE(kernel_.sent(kFd).ends_with("\r\nContent-Length: 0\r\n\r\n"));
}

TEST_F(AdminRequestTest, TheAnswerMayComeInPieces) {
  connect();
  kernel_.expect_recv(kFd, "HTTP/1.1 200 OK\r\nContent-Le");
  kernel_.expect_recv_error(kFd, EAGAIN);
  AdminRequest get = request();
  EXPECT_FALSE(get.advance());
  EXPECT_EQ(get.wanted().fd, kFd);
  EXPECT_EQ(get.wanted().events, POLLIN);
  kernel_.expect_recv(kFd, "ngth: 3\r\n\r\nok\n");
  ASSERT_TRUE(get.advance());
  EXPECT_EQ(get.take_answer().body, "ok\n");
}

TEST_F(AdminRequestTest, TheRequestMayBeSentInPieces) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd);
  kernel_.expect_send_any(kFd, 10);
  AdminRequest get = request();
  EXPECT_FALSE(get.advance());
  EXPECT_EQ(get.wanted().events, POLLOUT);
  kernel_.expect_send_error(kFd, EAGAIN);
  EXPECT_FALSE(get.advance());
  kernel_.expect_send_any(kFd);
  kernel_.expect_recv(kFd, kAnswer);
  EXPECT_TRUE(get.advance());
  EXPECT_TRUE(kernel_.sent(kFd).starts_with("GET /healthz HTTP/1.1\r\n"));
}

// echod may refuse a request before it has read it.
TEST_F(AdminRequestTest, AnAnswerIsReadAlthoughSendingFails) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd);
  kernel_.expect_send_error(kFd, EPIPE);
  kernel_.expect_recv(kFd, kAnswer);
  AdminRequest get = request();
  EXPECT_TRUE(get.advance());
}

TEST_F(AdminRequestTest, AFullAcceptQueueIsTriedAgainUntilTheTimeIsOver) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EAGAIN);
  AdminRequest get = request();
  EXPECT_FALSE(get.advance());
  EXPECT_LT(get.wanted().fd, 0);
  EXPECT_EQ(get.wake_at().time_since_epoch(), kernel_.now() + milliseconds(20));
  kernel_.advance(milliseconds(20));
  kernel_.expect_socket(kOther);
  kernel_.expect_connect(kOther, EAGAIN);
  EXPECT_FALSE(get.advance());
  kernel_.advance(milliseconds(4979));
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EAGAIN);
  EXPECT_FALSE(get.advance());
  EXPECT_EQ(get.wake_at().time_since_epoch(), kernel_.now() + milliseconds(1));
  kernel_.advance(milliseconds(1));
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EAGAIN);
  const FatalError error = failure(get);
  EXPECT_EQ(error.code(), ExitCode::unavailable);
  EXPECT_STREQ(
      error.what(),
      "no answer from echod at /run/echod/admin.sock within 5 s: it is overloaded or stuck "
      "(--timeout waits longer)");
}

TEST_F(AdminRequestTest, BytesThatDripDoNotExtendTheTime) {
  connect();
  kernel_.expect_recv_error(kFd, EAGAIN);
  AdminRequest get = request();
  EXPECT_FALSE(get.advance());
  kernel_.advance(milliseconds(4999));
  kernel_.expect_recv(kFd, "H");
  kernel_.expect_recv_error(kFd, EAGAIN);
  EXPECT_FALSE(get.advance());
  kernel_.advance(milliseconds(1));
  kernel_.expect_recv(kFd, "T");
  kernel_.expect_recv_error(kFd, EAGAIN);
  EXPECT_EQ(failure(get).code(), ExitCode::unavailable);
}

TEST_F(AdminRequestTest, AnAnswerThatCompletesAtTheDeadlineCounts) {
  connect();
  kernel_.expect_recv_error(kFd, EAGAIN);
  AdminRequest get = request();
  EXPECT_FALSE(get.advance());
  kernel_.advance(std::chrono::seconds(5));
  kernel_.expect_recv(kFd, kAnswer);
  EXPECT_TRUE(get.advance());
}

TEST_F(AdminRequestTest, WithoutASocketTheErrorSaysWhatToDo) {
  const FatalError error = connect_failure(ENOENT);
  EXPECT_EQ(error.code(), ExitCode::unavailable);
  EXPECT_STREQ(
      error.what(),
      "there is no /run/echod/admin.sock: is echod running, and is this its [admin] socket? "
      "(--socket PATH names another)");
}

TEST_F(AdminRequestTest, WithoutPermissionTheErrorNamesTheGroup) {
  const FatalError error = connect_failure(EACCES);
  EXPECT_EQ(error.code(), ExitCode::no_permission);
  EXPECT_STREQ(error.what(),
               "no permission to use /run/echod/admin.sock: members of the group echod may use it "
               "(adduser NAME echod), and root (sudo)");
}

TEST_F(AdminRequestTest, ASocketThatWasLeftBehindIsNamed) {
  EXPECT_STREQ(connect_failure(ECONNREFUSED).what(),
               "echod is not running: it left /run/echod/admin.sock behind");
}

TEST_F(AdminRequestTest, AFileThatIsNoSocketIsNamed) {
  const TemporaryDirectory directory;
  write_file(directory.file("file"), "");
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, ECONNREFUSED);
  AdminRequest get({.path = directory.file("file"), .timeout = std::chrono::seconds(1)}, "GET",
                   "/");
  EXPECT_EQ(failure(get).what(),
            directory.file("file") + " is not a socket: --socket names another");
}

TEST_F(AdminRequestTest, OtherFailuresToConnectHaveTheirReason) {
  EXPECT_EQ(connect_failure(EPROTOTYPE).code(), ExitCode::protocol);
  EXPECT_EQ(connect_failure(ENOTDIR).code(), ExitCode::unavailable);
  EXPECT_STREQ(connect_failure(EIO).what(),
               "cannot connect to /run/echod/admin.sock: Input/output error");
}

TEST_F(AdminRequestTest, APathThatIsTooLongIsAMisuse) {
  AdminRequest get({.path = std::string(108, 'x'), .timeout = std::chrono::seconds(1)}, "GET", "/");
  EXPECT_EQ(failure(get).code(), ExitCode::usage);
  EXPECT_EQ(kernel_.count(Call::socket), 0U);
}

TEST_F(AdminRequestTest, WithoutDescriptorsTheErrorIsThatOfTheSystem) {
  kernel_.expect_socket_error(EMFILE);
  AdminRequest get = request();
  const FatalError error = failure(get);
  EXPECT_EQ(error.code(), ExitCode::system);
  EXPECT_STREQ(error.what(), "cannot make a socket: Too many open files");
}

TEST_F(AdminRequestTest, AnAnswerThatIsCutOffIsReported) {
  for (const std::string begin : {"", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"}) {
    connect();
    if (!begin.empty()) {
      kernel_.expect_recv(kFd, begin);
    }
    kernel_.expect_recv_eof(kFd);
    AdminRequest get = request();
    const FatalError error = failure(get);
    EXPECT_EQ(error.code(), ExitCode::unavailable);
    EXPECT_STREQ(error.what(),
                 "echod at /run/echod/admin.sock ended the connection before its answer was "
                 "complete: is it stopping?");
  }
}

TEST_F(AdminRequestTest, AResetIsReported) {
  connect();
  kernel_.expect_recv_error(kFd, ECONNRESET);
  AdminRequest get = request();
  EXPECT_STREQ(failure(get).what(),
               "echod at /run/echod/admin.sock ended the connection before its answer was complete "
               "(Connection reset by peer): is it stopping?");
}

TEST_F(AdminRequestTest, GarbageIsReported) {
  connect();
  kernel_.expect_recv(kFd, "220 mail.example.org ESMTP\r\n");
  AdminRequest get = request();
  const FatalError error = failure(get);
  EXPECT_EQ(error.code(), ExitCode::protocol);
  EXPECT_STREQ(error.what(),
               "what answers at /run/echod/admin.sock does not speak HTTP: is this echod's [admin] "
               "socket?");
}

TEST_F(AdminRequestTest, AnAnswerThatIsTooLargeIsReported) {
  connect();
  kernel_.expect_recv(kFd, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
  AdminRequest get = request();
  EXPECT_EQ(failure(get).code(), ExitCode::protocol);
}

TEST_F(AdminRequestTest, ARefusalIsReportedInTheWordsOfEchod) {
  EXPECT_EQ(ctl::accepted_body({.status = 202, .body = "{}"}), "{}");
  try {
    (void)ctl::accepted_body({.status = 404, .body = "echod: no such connection: 0-1-2\n"});
    ADD_FAILURE();
  } catch (const FatalError& error) {
    EXPECT_EQ(error.code(), ExitCode::refused);
    EXPECT_STREQ(error.what(), "echod refused: no such connection: 0-1-2 (HTTP status 404)");
  }
}

}  // namespace
}  // namespace echod::test
