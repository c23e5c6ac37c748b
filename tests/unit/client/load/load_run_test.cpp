// Complete runs with threads, against a server whose kernel accepts connections but that never
// answers.
#include "client/load/load_run.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <utility>

#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

using client::LoadError;
using client::LoadPhase;
using client::LoadProgress;
using client::LoadResult;
using client::LoadRun;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class LoadRunTest : public testing::Test {
 protected:
  LoadRunTest() {
    plan_.server = listener_.address;
    plan_.connections = plan_.active = 4;
    plan_.threads = 2;
    plan_.warmup = milliseconds(0);
    plan_.duration = milliseconds(5);
    plan_.timeout = milliseconds(1);
  }
  [[nodiscard]] LoadResult run(std::function<void(const LoadProgress&)> on_progress = {}) const {
    return LoadRun(plan_, std::move(on_progress)).run();
  }
  [[nodiscard]] static std::uint64_t errors(const LoadResult& result, LoadError error) {
    return result.tally.errors.at(static_cast<std::size_t>(error));
  }

  sys::ListenSocket listener_ =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 128, false, {});
  client::LoadPlan plan_;
};

TEST_F(LoadRunTest, EndsByItselfWithTheResultsOfAllItsThreads) {
  const LoadResult result = run();
  EXPECT_LE(result.measured, plan_.duration);  // Less, because all connections stalled.
  EXPECT_FALSE(result.is_interrupted);
  EXPECT_EQ(result.connected, 4U);
  EXPECT_EQ(errors(result, LoadError::stalled), 4U);
  ASSERT_EQ(result.thread_shares.size(), 2U);
  for (const double share : result.thread_shares) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
  }
  EXPECT_GE(result.client_cpu, nanoseconds(0));
  EXPECT_FALSE(result.server);
}

TEST_F(LoadRunTest, InAnOpenLoopEveryMessageThatWasDueIsMeasured) {
  plan_.rate_per_s = 100'000;
  const LoadResult result = run();
  EXPECT_EQ(result.tally.latency.count(), 500U);
  EXPECT_GE(result.tally.latency.min(), plan_.timeout) << "none was answered";
  EXPECT_GT(result.tally.not_sent, 400U) << "there are four connections of depth 1";
}

TEST_F(LoadRunTest, TheIntervalsAddUpToTheRun) {
  plan_.duration = milliseconds(50);
  plan_.interval = milliseconds(10);
  std::size_t told = 0;
  const LoadResult result =
      LoadRun(plan_, {}, [&told](const client::Interval& /*interval*/) { ++told; }).run();
  ASSERT_EQ(result.series.size(), 5U);
  EXPECT_EQ(told, 5U);
  client::IntervalCounts sum;
  std::uint64_t latencies = 0;
  for (std::size_t i = 0; i < result.series.size(); ++i) {
    EXPECT_EQ(result.series[i].begin, i * plan_.interval);
    sum.add(result.series[i].counts);
    latencies += result.series[i].latencies;
  }
  EXPECT_EQ(sum, client::IntervalCounts::of(result.tally));
  EXPECT_EQ(sum.errors, 4U);
  EXPECT_EQ(sum.lost, 4U);
  EXPECT_EQ(latencies, result.tally.latency.count());
}

TEST_F(LoadRunTest, TheStepsOfAllThreadsAreAddedUp) {
  plan_.steps = {.rates_per_s = {100'000, 200'000}, .time = milliseconds(5)};
  plan_.rate_per_s = 100'000;
  plan_.duration = milliseconds(10);
  const LoadResult result = run();
  ASSERT_EQ(result.steps.size(), 2U);
  EXPECT_EQ(result.steps[0].latency.count(), 500U);
  EXPECT_EQ(result.steps[1].latency.count(), 1000U);
}

TEST_F(LoadRunTest, TheWindowBeginsAtStartAtPlusTheWarmUp) {
  plan_.warmup = milliseconds(3);
  plan_.rate_per_s = 100'000;
  LoadResult result;
  nanoseconds wait = milliseconds(25);
  do {  // Until the connections are open in time.
    wait *= 2;
    plan_.start_at = std::chrono::system_clock::now() + wait;
    result = run();
  } while (result.start_missed_by > nanoseconds(0));
  EXPECT_EQ(result.measured_from, *plan_.start_at + milliseconds(3));
  EXPECT_EQ(result.tally.latency.count(), 500U);
  EXPECT_EQ(result.start_missed_by, nanoseconds(0));
}

TEST_F(LoadRunTest, WithoutStartAtItBeginsWhenConnected) {
  plan_.rate_per_s = 100'000;
  const client::Moment before = std::chrono::system_clock::now();
  const LoadResult result = run();
  ASSERT_TRUE(result.measured_from);
  EXPECT_GE(*result.measured_from, before);
  EXPECT_LE(*result.measured_from, std::chrono::system_clock::now());
}

TEST_F(LoadRunTest, IfTheConnectionsAreOpenTooLateNothingIsMeasured) {
  plan_.start_at = std::chrono::system_clock::now() - milliseconds(1);
  const LoadResult result = run();
  EXPECT_GE(result.start_missed_by, milliseconds(1));
  EXPECT_EQ(result.measured, nanoseconds(0));
  EXPECT_EQ(result.measured_from, std::nullopt);
  EXPECT_EQ(result.connected, 4U);
  EXPECT_EQ(result.tally.bytes_sent, 0U);
  EXPECT_FALSE(result.is_interrupted);
}

TEST_F(LoadRunTest, ASignalEndsTheWaitForStartAt) {
  plan_.start_at = std::chrono::system_clock::now() + hours(1);
  const LoadResult result = run([](const LoadProgress& progress) {
    if (progress.phase == LoadPhase::waiting) {
      (void)raise(SIGINT);
    }
  });
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_EQ(result.measured, nanoseconds(0));
  EXPECT_EQ(result.connected, 4U);
}

TEST_F(LoadRunTest, CountsWhatTheServersProcessUsedInTheWindow) {
  plan_.server_pid = getpid();
  const LoadResult result = run();
  ASSERT_TRUE(result.server);
  EXPECT_GE(result.server->user, nanoseconds(0));
  EXPECT_GT(result.server->resident_bytes, 0U);
}

TEST_F(LoadRunTest, WithoutAnyConnectionItEnds) {
  listener_.fd.reset();
  const LoadResult result = run();
  EXPECT_EQ(result.connected, 0U);
  EXPECT_EQ(errors(result, LoadError::refused), 4U);
  EXPECT_EQ(result.tally.latency.count(), 0U);
}

TEST_F(LoadRunTest, ASignalBeforeItBeganEndsItWithNothingMeasured) {
  plan_.duration = hours(1);
  plan_.server_pid = getpid();
  LoadRun run(plan_, {});
  ASSERT_EQ(raise(SIGINT), 0);
  const LoadResult result = run.run();
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_EQ(result.measured, nanoseconds(0));
  EXPECT_EQ(result.tally.latency.count(), 0U);
  EXPECT_FALSE(result.server);
}

TEST_F(LoadRunTest, ASignalAfterTheWindowDoesNotInterruptTheRun) {
  plan_.timeout = std::chrono::seconds(1);  // How long it waits for echoes while finishing.
  bool was_signalled = false;
  const LoadResult result = run([&](const LoadProgress& progress) {
    if (progress.phase == LoadPhase::finishing && !std::exchange(was_signalled, true)) {
      (void)raise(SIGINT);
    }
  });
  EXPECT_TRUE(was_signalled);
  EXPECT_FALSE(result.is_interrupted);
  EXPECT_EQ(errors(result, LoadError::stalled), 4U);
}

TEST_F(LoadRunTest, ASignalEndsItWithTheResultsSoFarAndAnotherASecondLaterAtOnce) {
  plan_.duration = hours(1);
  plan_.timeout = hours(1);  // Only a signal ends the wait for echoes.
  plan_.server_pid = getpid();
  std::set<LoadPhase> phases;
  sys::TimePoint stopped{};
  const LoadResult result = run([&](const LoadProgress& progress) {
    const bool is_first = phases.insert(progress.phase).second;
    if (is_first && progress.phase == LoadPhase::measuring) {
      EXPECT_GT(progress.measured, nanoseconds(0));
      EXPECT_EQ(progress.tally.connected, 4U);
      EXPECT_EQ(progress.tally.connect.count(), 0U) << "only what is shown is copied";
      stopped = sys::MonotonicClock::now();
      (void)raise(SIGTERM);
      (void)raise(SIGINT);  // Counts as the same stop.
    } else if (progress.phase == LoadPhase::finishing) {
      (void)raise(SIGINT);  // Counts as the same stop in the first second.
    }
  });
  EXPECT_GE(sys::MonotonicClock::now() - stopped, std::chrono::seconds(1));
  EXPECT_TRUE(phases.contains(LoadPhase::measuring));
  EXPECT_TRUE(phases.contains(LoadPhase::finishing));
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_GT(result.measured, nanoseconds(0));
  EXPECT_LT(result.measured, hours(1));
  EXPECT_EQ(errors(result, LoadError::abandoned), 4U);
  EXPECT_TRUE(result.server);
}

}  // namespace
}  // namespace echod::test
