#include "client/echoctl/commands.hpp"

#include <gtest/gtest.h>

#include <string>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

Outcome outcome(const Options& options, std::string body, int status = 200) {
  return outcome_of(options, {.status = status, .body = std::move(body)}, Style(false));
}

TEST(CommandsTest, AProbeSucceedsOrPrintsTheReason) {
  for (const Command command : {Command::health, Command::ready}) {
    const Outcome good = outcome({.command = command}, "ok\n");
    EXPECT_EQ(good.text, "ok\n");
    EXPECT_EQ(good.code, ExitCode::success);
    const Outcome bad = outcome({.command = command}, "worker 1 is stuck\nmore", 503);
    EXPECT_EQ(bad.text, "worker 1 is stuck\n");
    EXPECT_EQ(bad.code, ExitCode::refused);
  }
  EXPECT_THROW((void)outcome({.command = Command::health}, "echod: no such path\n", 404),
               FatalError);
}

TEST(CommandsTest, JsonIsThatOfEchod) {
  const std::string status = test::status_example().dump(2);
  EXPECT_EQ(outcome({.command = Command::status, .wants_json = true}, status).text, status);
  const std::string list = test::connections_example().dump();
  EXPECT_EQ(outcome({.command = Command::connections, .wants_json = true}, list).text, list);
  EXPECT_EQ(outcome({.command = Command::drain, .wants_json = true}, "{}", 202).text, "{}");
  const std::string closed = R"({"closed":0,"silent_workers":[]})";
  EXPECT_EQ(outcome({.command = Command::close, .wants_json = true}, closed).text, closed);
}

TEST(CommandsTest, PeopleGetSentencesAndTables) {
  const std::string list = test::connections_example().dump();
  EXPECT_TRUE(outcome({.command = Command::connections}, list).text.starts_with("ID "));
  const std::string status = test::status_example().dump();
  EXPECT_TRUE(outcome({.command = Command::status}, status).text.starts_with("echod 0.1.0 is "));
  EXPECT_EQ(outcome({.command = Command::close}, R"({"closed": 1, "silent_workers": []})").text,
            "closed 1 connection\n");
  EXPECT_EQ(outcome({.command = Command::close}, R"({"closed": 1700, "silent_workers": []})").text,
            "closed 1 700 connections\n");
  EXPECT_EQ(outcome({.command = Command::drain}, "{}", 202).text,
            "echod drains: it stops when every client has its bytes back\n");
  EXPECT_EQ(outcome({.command = Command::metrics}, "# HELP\n").text, "# HELP\n");
}

TEST(CommandsTest, LevelsArePrintedAfterAChangeAndFromTheStatus) {
  const std::string changed = R"({"file_level": "info", "stderr_level": "off"})";
  const Options change{.command = Command::log_level, .level = "info"};
  EXPECT_EQ(outcome(change, changed).text, "log file:       info\nstandard error: off\n");
  const std::string status = test::status_example().dump();
  const Options show{.command = Command::log_level};
  EXPECT_EQ(outcome(show, status).text, "log file:       debug\nstandard error: error\n");
  const Options json{.command = Command::log_level, .wants_json = true};
  EXPECT_EQ(outcome(json, status).text, "{\"file_level\":\"debug\",\"stderr_level\":\"error\"}\n");
}

TEST(CommandsTest, AnAnswerWithoutSomeWorkersHasAWarning) {
  auto list = test::connections_example();
  EXPECT_EQ(outcome({.command = Command::connections}, list.dump()).warning, "");
  list["silent_workers"] = {0};
  EXPECT_EQ(outcome({.command = Command::connections, .wants_json = true}, list.dump()).warning,
            "worker 0 did not answer: connections are missing");
  EXPECT_EQ(outcome({.command = Command::connections}, list.dump()).code, ExitCode::success);
  const Outcome closed =
      outcome({.command = Command::close}, R"({"closed": 1, "silent_workers": [1, 2]})");
  EXPECT_EQ(closed.warning, "workers 1, 2 did not answer: connections may still be open");
  EXPECT_EQ(closed.code, ExitCode::unavailable);
}

TEST(CommandsTest, ARefusalIsAnError) {
  try {
    (void)outcome({.command = Command::close}, "echod: no such connection: 1-2-3\n", 404);
    ADD_FAILURE();
  } catch (const FatalError& error) {
    EXPECT_EQ(error.code(), ExitCode::refused);
    EXPECT_STREQ(error.what(), "echod refused: no such connection: 1-2-3 (HTTP status 404)");
  }
}

}  // namespace
}  // namespace echod::ctl
