#include "telemetry/connection_log.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "allocations.hpp"
#include "echo/echo_settings.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class ConnectionLogTest : public testing::Test {
 protected:
  ConnectionLogTest() {
    logger_->set_level(spdlog::level::trace);
    logger_->set_pattern("%l %v");
  }

  [[nodiscard]] ConnectionSummary summary(CloseReason reason, int error) const {
    return {.peer = peer_,
            .fd = 7,
            .bytes_received = 12,
            .bytes_sent = 10,
            .duration = 1234567us,
            .reason = reason,
            .error = error};
  }
  // What was logged since the last call.
  std::string said() {
    std::string text = text_.str();
    text_.str("");
    return text;
  }

  static constexpr sys::TimePoint kNow{1000s};
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
  Counters counters_;
  Timers timers_;
  LineLimits limits_;
  ConnectionLog log_{logger_, counters_, limits_, timers_};
  SocketAddress peer_ = *SocketAddress::parse("2001:db8::1:2:3:4", 5555);
  static constexpr std::string_view kListener = "192.0.2.9:2003";
};

// The words.

TEST_F(ConnectionLogTest, OfAConnectionSaysWhoCameAndHowItEnded) {
  log_.opened(peer_, 7, kNow);
  log_.closed(summary(CloseReason::peer_closed, 0), kNow);
  log_.closed(summary(CloseReason::reset, ECONNRESET), kNow);
  EXPECT_EQ(said(),
            "debug open peer=[2001:db8::1:2:3:4]:5555 fd=7\n"
            "debug close peer=[2001:db8::1:2:3:4]:5555 fd=7 in=12 out=10 duration=1.235s "
            "reason=peer_closed\n"
            "debug close peer=[2001:db8::1:2:3:4]:5555 fd=7 in=12 out=10 duration=1.235s "
            "reason=reset (Connection reset by peer)\n");
}

TEST_F(ConnectionLogTest, OfEachMessageIsAtTraceAndOnDemand) {
  EXPECT_FALSE(log_.logs_echoes());
  limits_.set_per_second(0);
  log_.set_logs_echoes(true);
  EXPECT_TRUE(log_.logs_echoes());
  log_.echoed(peer_, 7, 64, 60, kNow);
  EXPECT_EQ(said(), "trace echo peer=[2001:db8::1:2:3:4]:5555 fd=7 in=64 out=60\n");
}

TEST_F(ConnectionLogTest, OfAcceptingNamesTheAddressTheErrorTheConsequenceAndTheKnob) {
  log_.paused_full(kListener, 991, kNow);
  EXPECT_EQ(
      said(),
      "warning full on 192.0.2.9:2003: the limit of 991 connections is reached; new clients "
      "wait in the backlog until a connection closes; raise limits.max_connections, or if it is "
      "0, ulimit -n or LimitNOFILE=\n");
  log_.paused_resources(kListener, EMFILE, 900, kNow);
  EXPECT_EQ(
      said(),
      "error cannot accept on 192.0.2.9:2003: Too many open files; 900 connections stay open, "
      "new clients wait in the backlog; raise ulimit -n or LimitNOFILE=, or lower "
      "limits.max_connections\n");
  log_.paused_emptying(kListener, EMFILE, 900, kNow);
  EXPECT_EQ(
      said(),
      "info stopping: clients wait in the backlog of 192.0.2.9:2003 (Too many open files); they "
      "are served as the 900 connections end\n");
  log_.accept_failed(kListener, ECONNABORTED, kNow);
  EXPECT_EQ(said(),
            "warning a connection to 192.0.2.9:2003 was lost before it was accepted: Software "
            "caused connection abort; other connections are not affected\n");
  log_.register_failed(peer_, ENOSPC, kNow);
  EXPECT_EQ(said(),
            "error cannot add the connection from [2001:db8::1:2:3:4]:5555 to epoll: No space left "
            "on device; it is closed; raise fs.epoll.max_user_watches\n");
  log_.listener_lost(kListener, EBADF);
  EXPECT_EQ(
      said(),
      "critical the listening socket 192.0.2.9:2003 failed: Bad file descriptor; stopping, so "
      "that a restart can open it again\n");
}

TEST_F(ConnectionLogTest, OfAcceptingNamesTheKnobForWhatIsShort) {
  log_.paused_resources(kListener, ENFILE, 900, kNow);
  EXPECT_TRUE(said().ends_with("; raise fs.file-max\n"));
  for (const int error : {ENOMEM, ENOBUFS}) {
    limits_.readmit_rare(LineLimits::RareLine::resources);
    log_.paused_resources(kListener, error, 900, kNow);
    EXPECT_TRUE(
        said().ends_with("; free memory on this host, or raise the memory limit of echod\n"));
  }
  limits_.readmit_rare(LineLimits::RareLine::resources);
  log_.paused_resources(kListener, EPERM, 900, kNow);
  EXPECT_TRUE(said().ends_with("new clients wait in the backlog\n")) << "no key changes this";
}

TEST_F(ConnectionLogTest, WhatKeepsClientsFromBeingServedIsANotice) {
  std::ostringstream notices_text;
  const auto notices = std::make_shared<spdlog::logger>(
      "notices", std::make_shared<spdlog::sinks::ostream_sink_mt>(notices_text));
  logger_->set_level(spdlog::level::off);
  ConnectionLog log({logger_, notices}, counters_, limits_, timers_);
  const auto is_noticed = [&notices_text](const std::string& words) {
    const std::string text = std::exchange(notices_text, std::ostringstream()).str();
    return text.find(words) != std::string::npos;
  };
  log.paused_full(kListener, 1, kNow);
  EXPECT_TRUE(is_noticed("full on"));
  log.paused_resources(kListener, EMFILE, 1, kNow);
  EXPECT_TRUE(is_noticed("cannot accept on"));
  log.accepts_again(1, kNow + 1min);
  EXPECT_TRUE(is_noticed("accepting again"));
  log.register_failed(peer_, ENOSPC, kNow);
  EXPECT_TRUE(is_noticed("to epoll: "));
  log.listener_lost(kListener, EBADF);
  EXPECT_TRUE(is_noticed(" failed: "));
  log.accept_failed(kListener, ECONNABORTED, kNow);
  log.paused_emptying(kListener, EMFILE, 1, kNow);
  EXPECT_EQ(notices_text.str(), "") << "others are served";
}

TEST_F(ConnectionLogTest, TheEndOfAShortageIsToldOnceAndOnlyAfterAShortage) {
  log_.accepts_again(3, kNow);
  EXPECT_EQ(said(), "");
  log_.paused_full(kListener, 3, kNow);
  (void)said();
  log_.accepts_again(3, kNow + 1min);
  EXPECT_EQ(said(), "info accepting again: 3 connections, no client is waiting\n");
  log_.accepts_again(3, kNow + 2min);
  EXPECT_EQ(said(), "");
}

TEST_F(ConnectionLogTest, TheEndOfAShortageOfAnEarlierProgramIsTold) {
  EXPECT_FALSE(limits_.is_shortage_logged());
  log_.paused_full(kListener, 3, kNow);
  EXPECT_TRUE(limits_.is_shortage_logged());
  (void)said();
  LineLimits next;
  next.restore_shortage();
  EXPECT_TRUE(next.is_shortage_logged());
  ConnectionLog log({logger_}, counters_, next, timers_);
  log.accepts_again(3, kNow);
  EXPECT_EQ(said(), "info accepting again: 3 connections, no client is waiting\n");
  EXPECT_FALSE(next.is_shortage_logged());
}

// Another shortage within the minute would not be told, and "accepting again" be the last word.
TEST_F(ConnectionLogTest, TheEndOfAShortageIsNotToldBeforeTheNextShortageWouldBe) {
  log_.paused_resources(kListener, EMFILE, 3, kNow);
  (void)said();
  log_.accepts_again(3, kNow + 1min - 1ns);
  EXPECT_EQ(said(), "");
  log_.accepts_again(3, kNow + 1min);
  EXPECT_NE(said(), "");
}

TEST_F(ConnectionLogTest, SaysByItselfWhatItLeftOutWhenThatSecondIsOver) {
  limits_.set_per_second(1);
  for (int i = 0; i < 3; ++i) {
    log_.opened(peer_, 7, kNow);
  }
  (void)said();
  EXPECT_EQ(timers_.next_deadline(), kNow + 1s);
  timers_.run_due(kNow + 999ms);
  EXPECT_EQ(said(), "");
  timers_.run_due(kNow + 1s);
  EXPECT_EQ(
      said(),
      "info 2 log lines about connections were suppressed; log.connection_lines_per_second = 1\n");
  EXPECT_TRUE(timers_.empty());
  log_.opened(peer_, 7, kNow + 4s);
  EXPECT_EQ(said(), "debug open peer=[2001:db8::1:2:3:4]:5555 fd=7\n");
  EXPECT_TRUE(timers_.empty());
}

TEST_F(ConnectionLogTest, BelowItsLevelSaysNothingAndCountsNothing) {
  limits_.set_per_second(1);
  logger_->set_level(spdlog::level::info);
  for (int i = 0; i < 3; ++i) {
    log_.opened(peer_, 7, kNow);
    log_.closed(summary(CloseReason::reset, 0), kNow);
  }
  EXPECT_EQ(said(), "");
  EXPECT_EQ(counters_.get(Counter::connection_lines_suppressed), 0U);
}

// The limit on lines about connections.

TEST_F(ConnectionLogTest, LinesBeyondTheLimitOfASecondAreLeftOutAndCounted) {
  limits_.set_per_second(2);
  for (int fd = 1; fd <= 5; ++fd) {
    log_.opened(peer_, fd, kNow + 999ms);
  }
  EXPECT_EQ(said(),
            "debug open peer=[2001:db8::1:2:3:4]:5555 fd=1\n"
            "debug open peer=[2001:db8::1:2:3:4]:5555 fd=2\n");
  EXPECT_EQ(counters_.get(Counter::connection_lines_suppressed), 3U);
}

TEST_F(ConnectionLogTest, TheFirstLineAfterThatSecondIsPrecededByHowManyWereLeftOut) {
  limits_.set_per_second(2);
  for (int fd = 1; fd <= 5; ++fd) {
    log_.opened(peer_, fd, kNow);
  }
  (void)said();
  log_.opened(peer_, 6, kNow + 1s - 1ns);
  EXPECT_EQ(said(), "");
  log_.opened(peer_, 7, kNow + 1s);
  EXPECT_EQ(
      said(),
      "info 4 log lines about connections were suppressed; log.connection_lines_per_second = 2\n"
      "debug open peer=[2001:db8::1:2:3:4]:5555 fd=7\n");
  EXPECT_TRUE(timers_.empty());  // It is said already.
  log_.opened(peer_, 8, kNow + 2s);
  EXPECT_EQ(said(), "debug open peer=[2001:db8::1:2:3:4]:5555 fd=8\n");
}

TEST_F(ConnectionLogTest, OpenedClosedAndEchoedShareTheLimit) {
  limits_.set_per_second(2);
  log_.set_logs_echoes(true);
  log_.opened(peer_, 7, kNow);
  log_.echoed(peer_, 7, 1, 1, kNow);
  log_.echoed(peer_, 7, 1, 1, kNow);
  log_.closed(summary(CloseReason::reset, 0), kNow);
  EXPECT_EQ(counters_.get(Counter::connection_lines_suppressed), 2U);
}

TEST_F(ConnectionLogTest, ALimitOfZeroLeavesNothingOut) {
  limits_.set_per_second(0);
  for (int i = 0; i < 1000; ++i) {
    log_.opened(peer_, 7, kNow);
  }
  const std::string text = said();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1000);
  EXPECT_EQ(counters_.get(Counter::connection_lines_suppressed), 0U);
}

TEST_F(ConnectionLogTest, EachKindOfTroubleWithAcceptingIsToldOnceAMinute) {
  const auto report_all = [this](sys::TimePoint now) {
    log_.paused_full(kListener, 1, now);
    log_.paused_resources(kListener, EMFILE, 1, now);
    log_.paused_emptying(kListener, EMFILE, 1, now);
    log_.accept_failed(kListener, ECONNABORTED, now);
    log_.register_failed(peer_, ENOSPC, now);
    const std::string text = said();
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(report_all(kNow), 5);
  EXPECT_EQ(report_all(kNow), 0);
  EXPECT_EQ(report_all(kNow + 1min - 1ns), 0);
  EXPECT_EQ(report_all(kNow + 1min), 5);
}

// Out of memory.

TEST_F(ConnectionLogTest, ALineThatThereIsNoMemoryForIsLostAndNothingElse) {
  limits_.set_per_second(3);
  log_.set_logs_echoes(true);
  {
    const AllocationFailure no_memory;
    log_.opened(peer_, 7, kNow);
    log_.echoed(peer_, 7, 1, 1, kNow);
    log_.closed(summary(CloseReason::reset, ECONNRESET), kNow);
    log_.register_failed(peer_, ENOSPC, kNow);
    log_.opened(peer_, 7, kNow);  // Beyond the limit.
  }
  EXPECT_EQ(counters_.get(Counter::connection_lines_suppressed), 5U);
  EXPECT_EQ(said(), "");
  log_.opened(peer_, 8, kNow + 1s);
  EXPECT_EQ(
      said(),
      "info 1 log lines about connections were suppressed; log.connection_lines_per_second = 3\n"
      "debug open peer=[2001:db8::1:2:3:4]:5555 fd=8\n");
}

TEST_F(ConnectionLogTest, TheEndOfAShortageThatCouldNotBeLoggedIsNotLogged) {
  EXPECT_TRUE(limits_.admits_rare(LineLimits::RareLine::full, kNow));
  limits_.readmit_rare(LineLimits::RareLine::full);
  EXPECT_FALSE(limits_.admits_end_of_shortage(kNow + 1min));
}

TEST_F(ConnectionLogTest, AShortageOfMemoryItselfTakesNoneToTell) {
  text_.str(std::string(200, '.'));  // Is overwritten: the test's own text takes no memory either.
  {
    const AllocationFailure no_memory;
    log_.paused_resources("[::]:2003", ENOMEM, 1, kNow);
  }
  EXPECT_TRUE(said().starts_with(
      "error cannot accept on [::]:2003: Cannot allocate memory; 1 connections stay open, "
      "new clients wait in the backlog; free memory on this host, or raise the memory limit of "
      "echod\n"));
}

TEST_F(ConnectionLogTest, TheFirstLineOfAMinuteThatThereWasNoMemoryForIsMadeUpForByTheNext) {
  {
    const AllocationFailure no_memory;
    log_.register_failed(peer_, ENOMEM, kNow);
  }
  EXPECT_EQ(said(), "");
  log_.register_failed(peer_, ENOMEM, kNow);
  EXPECT_NE(said(), "");
  log_.register_failed(peer_, ENOMEM, kNow);
  EXPECT_EQ(said(), "");
}

TEST(EchoSettingsTest, EchoesAreLoggedIfAnyLogThatIsThereShowsTraces) {
  Config config;
  config.log.file = "network-server.log";
  config.log.file_level = LogLevel::trace;
  config.log.stderr_level = LogLevel::error;
  EXPECT_TRUE(echo_settings(config, 100, 1).logs_echoes);
  config.log.file = "";
  EXPECT_FALSE(echo_settings(config, 100, 1).logs_echoes);
  config.log.stderr_level = LogLevel::trace;
  EXPECT_TRUE(echo_settings(config, 100, 1).logs_echoes);
}

}  // namespace
}  // namespace echod::test
