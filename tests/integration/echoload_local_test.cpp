// echoload against a server on a UNIX socket: all modes, the report, and the exit codes.
#include <gtest/gtest.h>

#include "broken_server.hpp"
#include "load_client.hpp"

namespace echod::test {
namespace {

constexpr int kLocalFailed = 1;
constexpr int kLocalUnavailable = 69;

class EcholoadLocalTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string path_ = directory_.file("echo.sock");
  std::string target_ = "unix:" + path_;
};

TEST_F(EcholoadLocalTest, EveryModeCompletesWithoutAWrongByte) {
  const BrokenServer server(Fault::correct, path_);
  for (const std::string mode : {"echo", "connect", "stream"}) {
    // On a busy CPU, 64 streams would send for longer than the run takes before they read.
    const LoadOutcome outcome =
        run_load(target_, {"--mode", mode, "--threads", "2", "--connections", "4"});
    ASSERT_EQ(outcome.exit_code, 0) << mode << outcome.out << outcome.err;
    EXPECT_EQ(outcome.json["errors"]["total"], 0);
    EXPECT_GT(outcome.json["bytes_received"], 0);
    EXPECT_EQ(outcome.json["target"]["given"], target_);
    EXPECT_EQ(outcome.json["target"]["address"], target_);
  }
}

TEST_F(EcholoadLocalTest, AnOpenLoopMeasuresEveryMessage) {
  const BrokenServer server(Fault::correct, path_);
  const LoadOutcome outcome = run_load(target_, {"--rate", "2000", "--messages", "200"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.json["latency_us"]["count"], 200);
}

TEST_F(EcholoadLocalTest, TheReportHasNoFiguresOfTcp) {
  const BrokenServer server(Fault::correct, path_);
  const LoadOutcome outcome = run_load(target_, {});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find(", to " + target_ + "\n"), std::string::npos) << outcome.out;
  for (const char* const line : {"\n  tcp ", "\n  receive lag ", "local ports"}) {
    EXPECT_EQ(outcome.out.find(line), std::string::npos) << outcome.out;
  }
  EXPECT_EQ(outcome.json["tcp"]["round_trip_us"], nullptr);
  EXPECT_EQ(outcome.json["receive_lag_us"], nullptr);
}

TEST_F(EcholoadLocalTest, HundredsOfConnectionsAllConnect) {
  const BrokenServer server(Fault::correct, path_);
  const LoadOutcome outcome = run_load(target_, {"--connections", "800", "--active", "8"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.json["connected"], 800);
}

TEST_F(EcholoadLocalTest, FaultsOfTheServerAreNamed) {
  const BrokenServer server(Fault::drops_a_byte, path_);
  const LoadOutcome outcome = run_load(target_, {"--connections", "1"});
  EXPECT_EQ(outcome.exit_code, kLocalFailed);
  EXPECT_GT(outcome.json["errors"]["by_kind"]["lost"], 0) << outcome.out;
}

TEST_F(EcholoadLocalTest, ResultsOfTcpAndOfAUnixSocketCannotBeMerged) {
  const BrokenServer local(Fault::correct, path_);
  const BrokenServer tcp(Fault::correct);
  const LoadOutcome one = run_load(target_, {});
  const LoadOutcome two = run_load(tcp.port(), {});
  write_file(directory_.file("one"), one.json.dump());
  write_file(directory_.file("two"), two.json.dump());
  const ChildResult same = run({.arguments = {ECHOLOAD_BINARY, "merge", directory_.file("one")}});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_NE(same.out.find(", to " + target_ + "\n"), std::string::npos) << same.out;
  const ChildResult both = run(
      {.arguments = {ECHOLOAD_BINARY, "merge", directory_.file("one"), directory_.file("two")}});
  EXPECT_NE(both.exit_code, 0);
  EXPECT_NE(both.err.find("they differ in the kind of the server"), std::string::npos) << both.err;
}

TEST_F(EcholoadLocalTest, WithoutAServerNothingBegins) {
  const LoadOutcome outcome = run_load(target_, {});
  EXPECT_EQ(outcome.exit_code, kLocalUnavailable);
  EXPECT_EQ(outcome.err,
            "echoload: no connection to the server: " + target_ + ": No such file or directory\n");
  EXPECT_EQ(outcome.json["began"], false);
  EXPECT_EQ(outcome.json["target"]["address"], nullptr);
}

TEST_F(EcholoadLocalTest, ACheckSaysWhatItChecked) {
  const BrokenServer server(Fault::correct, path_);
  const ChildResult result = run({.arguments = {ECHOLOAD_BINARY, "check", target_}});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_NE(result.out.find(": check of " + target_ + ", seed "), std::string::npos) << result.out;
  EXPECT_TRUE(result.out.ends_with("\n12 passed, 0 failed, 0 skipped\n")) << result.out;
}

}  // namespace
}  // namespace echod::test
