#include "service/background_task.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "loop/event_loop.hpp"

namespace echod::test {
namespace {

class BackgroundTaskTest : public testing::Test {
 protected:
  void run_until_done(int times) {
    while (done_ < times) {
      loop_.run_once();
    }
  }

  const std::thread::id main_ = std::this_thread::get_id();
  EventLoop loop_;
  int done_ = 0;
};

TEST_F(BackgroundTaskTest, RunsInANamedThreadAndReportsInTheLoop) {
  BackgroundTask task(loop_, "a-slow-task", [this] {
    EXPECT_EQ(std::this_thread::get_id(), main_);
    ++done_;
  });
  std::thread::id thread = main_;
  std::string name;
  task.start([&] {
    thread = std::this_thread::get_id();
    std::array<char, 16> text{};
    (void)pthread_getname_np(pthread_self(), text.data(), text.size());
    name = text.data();
  });
  run_until_done(1);
  EXPECT_NE(thread, main_);
  EXPECT_EQ(name, "a-slow-task");
}

TEST_F(BackgroundTaskTest, RunsUntilItIsReported) {
  std::unique_ptr<BackgroundTask> task;
  bool was_running = true;
  task = std::make_unique<BackgroundTask>(loop_, "task", [&] {
    was_running = task->is_running();
    ++done_;
  });
  EXPECT_FALSE(task->is_running());
  std::promise<void> gate;
  task->start([&gate] { gate.get_future().wait(); });
  EXPECT_TRUE(task->is_running());
  gate.set_value();
  run_until_done(1);
  EXPECT_FALSE(was_running) << "on_done could not start the next task";
  EXPECT_FALSE(task->is_running());
}

TEST_F(BackgroundTaskTest, StartsTheNextTaskFromItsReport) {
  std::unique_ptr<BackgroundTask> task;
  std::atomic<int> runs{0};
  task = std::make_unique<BackgroundTask>(loop_, "task", [&] {
    if (++done_ < 3) {
      task->start([&runs] { ++runs; });
    }
  });
  task->start([&runs] { ++runs; });
  run_until_done(3);
  EXPECT_EQ(runs, 3);
  EXPECT_FALSE(task->is_running());
}

TEST_F(BackgroundTaskTest, ItsEndWaitsForTheTaskAndReportsNothing) {
  std::atomic<bool> is_over{false};
  std::promise<void> is_begun;
  {
    BackgroundTask task(loop_, "task", [this] { ++done_; });
    task.start([&] {
      is_begun.set_value();
      std::this_thread::yield();
      is_over = true;
    });
    is_begun.get_future().wait();
  }
  EXPECT_TRUE(is_over);
  loop_.wake_up();
  loop_.run_once();
  EXPECT_EQ(done_, 0);
}

// Threads of the test's process get a stack of this size from now on.
class StackSize {
 public:
  explicit StackSize(std::size_t bytes) {
    pthread_getattr_default_np(&before_);
    pthread_attr_t wanted;
    pthread_getattr_default_np(&wanted);
    pthread_attr_setstacksize(&wanted, bytes);
    pthread_setattr_default_np(&wanted);
    pthread_attr_destroy(&wanted);
  }
  ~StackSize() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  StackSize(const StackSize&) = delete;
  StackSize& operator=(const StackSize&) = delete;

 private:
  pthread_attr_t before_{};
};

TEST_F(BackgroundTaskTest, WithoutAThreadThrowsAndCanBeStartedLater) {
  BackgroundTask task(loop_, "task", [this] { ++done_; });
  {
    constexpr std::size_t kMoreThanAddresses = std::size_t{1} << 47U;
    const StackSize size(kMoreThanAddresses);
    EXPECT_THROW(task.start([] { ADD_FAILURE() << "there was a thread"; }), std::system_error);
  }
  EXPECT_FALSE(task.is_running());
  task.start([] {});
  run_until_done(1);
  EXPECT_EQ(done_, 1) << "the failed start was reported too";
}

}  // namespace
}  // namespace echod::test
