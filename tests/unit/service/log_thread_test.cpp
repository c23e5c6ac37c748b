#include "service/log_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "deadline.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

spdlog::details::log_msg line(const std::string& text) {
  return {"test", spdlog::level::info, text};
}

// The lines that the thread has written.
class Written {
 public:
  bool add(const std::string& text) {
    const std::scoped_lock lock(mutex_);
    texts_.push_back(text);
    return true;
  }
  [[nodiscard]] std::vector<std::string> texts() {
    const std::scoped_lock lock(mutex_);
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

class LogThreadTest : public testing::Test {
 protected:
  // Writes to written_. The line "wait" blocks until open_gate().
  LogThread::Write write() {
    return [written = written_, gate = gate_.get_future().share(),
            entered = &entered_](const spdlog::details::log_msg& message) {
      const std::string text(message.payload.data(), message.payload.size());
      if (text == "wait") {
        entered->set_value();
        gate.wait();
      }
      if (text == "throw") {
        throw std::bad_alloc();
      }
      return text != "fail" && written->add(text) ? sys::IoResult::of(1)
                                                  : sys::IoResult::failure(EIO);
    };
  }
  void open_gate() { gate_.set_value(); }
  void wait_until_blocked() { entered_.get_future().wait(); }

  std::shared_ptr<Written> written_ = std::make_shared<Written>();
  std::promise<void> gate_;
  std::promise<void> entered_;
};

TEST_F(LogThreadTest, WritesAllLinesInOrderBeforeItEnds) {
  LogThread thread("test", 100, write());
  for (const char* const text : {"one", "two", "three"}) {
    thread.push(line(text));
  }
  EXPECT_TRUE(thread.finish(60s));
  EXPECT_EQ(written_->texts(), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(thread.dropped_lines(), 0U);
}

TEST_F(LogThreadTest, ABlockedWriteBlocksNoCallerAndTheOldestLinesAreDropped) {
  LogThread thread("test", 2, write());
  thread.push(line("wait"));
  wait_until_blocked();
  for (const char* const text : {"one", "two", "three", "four"}) {
    thread.push(line(text));
  }
  EXPECT_EQ(thread.dropped_lines(), 2U);
  open_gate();
  EXPECT_TRUE(thread.finish(60s));
  EXPECT_EQ(written_->texts(), (std::vector<std::string>{"wait", "three", "four"}));
}

TEST_F(LogThreadTest, AThreadThatDoesNotEndIsDetached) {
  {
    LogThread thread("test", 2, write());
    thread.push(line("wait"));
    wait_until_blocked();
    EXPECT_FALSE(thread.finish(10ms));
  }
  open_gate();
}

TEST_F(LogThreadTest, LinesThatCannotBeWrittenAreCounted) {
  LogThread thread("test", 100, write());
  for (const char* const text : {"fail", "throw", "one"}) {
    thread.push(line(text));
  }
  EXPECT_TRUE(thread.finish(60s));
  EXPECT_EQ(thread.write_failures(), 2U);
  EXPECT_EQ(written_->texts(), (std::vector<std::string>{"one"}));
}

TEST_F(LogThreadTest, ATaskRunsBeforeTheNextLineAndReplacesOneThatHasNotStarted) {
  LogThread thread("test", 100, write());
  thread.push(line("wait"));
  wait_until_blocked();
  thread.push(line("queued"));
  thread.run_next([written = written_] { written->add("replaced"); });
  thread.run_next([written = written_] { written->add("task"); });
  open_gate();
  EXPECT_TRUE(thread.finish(60s));
  EXPECT_EQ(written_->texts(), (std::vector<std::string>{"wait", "task", "queued"}));
}

TEST_F(LogThreadTest, ALineThatWouldBlockIsWrittenAgainAndDoesNotDelayATask) {
  std::atomic<int> calls{0};
  std::atomic<bool> is_writable{false};
  LogThread thread("test", 100, [&](const spdlog::details::log_msg& message) {
    ++calls;
    return is_writable && written_->add({message.payload.data(), message.payload.size()})
               ? sys::IoResult::of(1)
               : sys::IoResult::failure(EAGAIN);
  });
  thread.push(line("one"));
  thread.push(line("two"));
  wait_until("two calls", [&calls] { return calls > 1; });
  thread.run_next([&] {
    written_->add("task");
    is_writable = true;
  });
  EXPECT_TRUE(thread.finish(60s));
  EXPECT_EQ(written_->texts(), (std::vector<std::string>{"task", "one", "two"}));
  EXPECT_EQ(thread.write_failures(), 0U);
}

TEST_F(LogThreadTest, ATaskRunsWithoutALine) {
  LogThread thread("test", 100, write());
  std::promise<void> done;
  thread.run_next([&done] { done.set_value(); });
  done.get_future().wait();
}

}  // namespace
}  // namespace echod::test
