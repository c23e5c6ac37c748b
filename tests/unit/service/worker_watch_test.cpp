// WorkerWatch with workers that are never started, so they make no turns, and with the clock of the
// scripted kernel. stuck_worker_test tests the whole daemon.
#include "service/worker_watch.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class WorkerWatchTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kWorkers = 3;

  WorkerWatchTest() { logger_->set_pattern("%l %v"); }

  // Runs the loop until the next check.
  void check() {
    kernel_.expect_epoll_wait_timeout(2000);
    loop_.run_once();
    kernel_.verify();
  }
  // How many wake-ups were sent since the last call.
  std::size_t wake_ups() {
    const std::size_t before = std::exchange(wake_ups_, kernel_.count(Call::write));
    return wake_ups_ - before;
  }

  ScriptedKernel kernel_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>(
      "watch", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
  EventLoop loop_;
  Workers workers_{kWorkers, echo_settings(Config{}, 100, kWorkers), logger_,
                   WorkerEvents{.on_ended = [] {}, .on_listener_lost = [](int) {}}};
  int checks_ = 0;
  WorkerWatch watch_{loop_, workers_, *logger_, [this] { ++checks_; }};
  std::size_t wake_ups_ = 0;
};

TEST_F(WorkerWatchTest, WakesUpEachWorkerFromTheStart) {
  watch_.start();
  EXPECT_EQ(wake_ups(), kWorkers);
  EXPECT_TRUE(watch_.have_all_answered());
  check();
  EXPECT_EQ(checks_, 1);
  EXPECT_FALSE(watch_.have_all_answered());
}

// The kernel may have woken only the stuck worker for a client.
TEST_F(WorkerWatchTest, HasTheOtherWorkersCheckTheAcceptQueuesForAStuckOne) {
  watch_.start();
  (void)wake_ups();
  check();
  // Several notifications of one worker cause one wake-up until it makes a turn.
  EXPECT_EQ(wake_ups(), 2 * kWorkers) << "for a turn, and to check the accept queues";
}

TEST_F(WorkerWatchTest, LogsAWorkerOnceAfterThreeChecksWithoutATurn) {
  watch_.start();
  check();
  check();
  EXPECT_EQ(log_.str(), "");
  EXPECT_FALSE(watch_.are_only_stuck_left());
  check();
  EXPECT_NE(log_.str().find("error worker 0 has not answered for 6 s: its 0 connections are "
                            "stalled; the other workers continue to serve\n"),
            std::string::npos)
      << log_.str();
  EXPECT_TRUE(watch_.are_only_stuck_left());
  const std::string before = log_.str();
  check();
  EXPECT_EQ(log_.str(), before) << "logged once";
  EXPECT_EQ(watch_.stalls(), kWorkers);
}

}  // namespace
}  // namespace echod::test
