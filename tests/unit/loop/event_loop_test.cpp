#include "loop/event_loop.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "loop/notifier.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

// A channel that records its turns and runs the action of the test.
class Recorder final : public Channel {
 public:
  explicit Recorder(std::string name, std::string& journal)
      : name_(std::move(name)), journal_(journal) {}

  Turn on_turn(std::uint32_t events) noexcept override {
    journal_ += name_;
    events_.push_back(events);
    if (action_) {
      action_();
    }
    return events_.size() <= agains_ ? Turn::again : Turn::wait;
  }

  void then(std::function<void()> action) { action_ = std::move(action); }
  // The first `turns` turns end with `again`.
  void want_again(std::size_t turns) { agains_ = turns; }
  [[nodiscard]] const std::vector<std::uint32_t>& events() const { return events_; }

 private:
  std::string name_;
  std::string& journal_;
  std::function<void()> action_;
  std::size_t agains_ = 0;
  std::vector<std::uint32_t> events_;
};

class EventLoopTest : public testing::Test {
 protected:
  static constexpr int kA = 7;
  static constexpr int kB = 8;
  static constexpr int kC = 9;
  static constexpr int kWakeUp = 1001;  // The descriptor of the loop's wake-up.

  ~EventLoopTest() override {
    for (Recorder* const channel : {&a_, &b_, &c_}) {
      loop_.remove(*channel);
    }
  }

  void add_all() {
    ASSERT_TRUE(loop_.add(a_, kA, EPOLLIN).ok());
    ASSERT_TRUE(loop_.add(b_, kB, EPOLLIN).ok());
    ASSERT_TRUE(loop_.add(c_, kC, EPOLLIN).ok());
  }
  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }

  ScriptedKernel kernel_;
  std::string journal_;
  EventLoop loop_;
  Recorder a_{"a", journal_};
  Recorder b_{"b", journal_};
  Recorder c_{"c", journal_};
};

// Events and turns.

TEST_F(EventLoopTest, MergesTheEventsOfOneWaitIntoOneTurn) {
  add_all();
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}, {kA, EPOLLRDHUP | EPOLLHUP}});
  iterate();
  EXPECT_EQ(journal_, "ab");
  EXPECT_EQ(a_.events(), std::vector<std::uint32_t>{EPOLLIN | EPOLLRDHUP | EPOLLHUP});
}

TEST_F(EventLoopTest, MergesEventsIntoTheTurnOfAReadyChannel) {
  add_all();
  loop_.enqueue(a_);
  kernel_.expect_epoll_wait({{kA, EPOLLOUT}}, 0);
  iterate();
  EXPECT_EQ(journal_, "a");
  EXPECT_EQ(a_.events(), std::vector<std::uint32_t>{EPOLLOUT});
}

TEST_F(EventLoopTest, ATurnFromTheReadyListAloneHasNoEvents) {
  add_all();
  a_.want_again(1);
  kernel_.expect_epoll_wait({{kA, EPOLLIN}}, -1);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(a_.events(), (std::vector<std::uint32_t>{EPOLLIN, 0}));
  kernel_.expect_epoll_wait({}, -1);
  iterate();
}

TEST_F(EventLoopTest, AChannelThatReturnsAgainGoesBehindTheReadyChannels) {
  add_all();
  a_.want_again(1);
  a_.then([this] { loop_.enqueue(c_); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "ab");
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "abca");
}

TEST_F(EventLoopTest, AChannelHasAtMostOneTurnInAPass) {
  add_all();
  a_.want_again(3);
  a_.then([this] { loop_.enqueue(b_); });
  b_.then([this] { loop_.enqueue(a_); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "ab");
  kernel_.expect_epoll_wait({{kC, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "abcab");
}

TEST_F(EventLoopTest, ChannelsWithoutATurnInTheLastPassComeFirst) {
  add_all();
  a_.want_again(2);
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  kernel_.expect_epoll_wait({{kB, EPOLLIN}, {kC, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "abcab");
}

TEST_F(EventLoopTest, APassServesAllReadyChannelsOfAllBatches) {
  constexpr int kMany = 1000;
  constexpr int kFirst = 2000;
  std::vector<std::unique_ptr<Recorder>> channels;
  std::deque<Event> ready;
  for (int fd = kFirst; fd < kFirst + kMany; ++fd) {
    channels.push_back(std::make_unique<Recorder>("x", journal_));
    EXPECT_TRUE(loop_.add(*channels.back(), fd, EPOLLIN).ok());
    ready.push_back({fd, EPOLLIN});
  }
  const std::uint64_t before = loop_.turns();
  for (int batch = 0; batch < 4; ++batch) {
    std::vector<Event> events;
    while (!ready.empty() && events.size() < sys::Epoll::kBatch) {
      events.push_back(ready.front());
      ready.pop_front();
    }
    kernel_.expect_epoll_wait(events);
  }
  iterate();
  EXPECT_EQ(loop_.turns() - before, kMany);
  for (const auto& channel : channels) {
    loop_.remove(*channel);
  }
}

TEST_F(EventLoopTest, ReadsNoMoreBatchesThanItsChannelsCanFill) {
  add_all();
  const std::vector<Event> full(sys::Epoll::kBatch, Event{kA, EPOLLIN});
  kernel_.expect_epoll_wait(full);
  iterate();
  EXPECT_EQ(journal_, "a");
}

TEST_F(EventLoopTest, AnInterruptEndsThePassAndTheOthersGoFirstInTheNext) {
  add_all();
  a_.want_again(1);
  a_.then([this] {
    if (journal_ == "a") {
      loop_.interrupt();
    }
  });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}, {kC, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "a");
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "abca");
  EXPECT_EQ(b_.events(), std::vector<std::uint32_t>{EPOLLIN});
}

TEST_F(EventLoopTest, AnInterruptBeforeThePassLeavesAllTurnsToTheNext) {
  add_all();
  loop_.interrupt();
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}, {kA, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "");
  kernel_.expect_epoll_wait({{kB, EPOLLIN}, {kA, EPOLLRDHUP}}, 0);
  iterate();
  EXPECT_EQ(journal_, "ab");
  EXPECT_EQ(a_.events(), std::vector<std::uint32_t>{EPOLLIN | EPOLLRDHUP});
}

TEST_F(EventLoopTest, ANotReadyChannelThatAnInterruptedPassDidNotReachGetsNoTurn) {
  add_all();
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  loop_.interrupt();
  kernel_.expect_epoll_wait({{kC, EPOLLIN}});
  iterate();
  kernel_.expect_epoll_wait({{kB, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "abcb");
}

TEST_F(EventLoopTest, CountsEveryTurn) {
  add_all();
  const std::uint64_t before = loop_.turns();
  a_.then([this, before] { EXPECT_EQ(loop_.turns(), before + 1); });
  b_.then([this, before] { EXPECT_EQ(loop_.turns(), before + 2); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
}

TEST_F(EventLoopTest, AWakeUpIsATurn) {
  const std::uint64_t before = loop_.turns();
  loop_.wake_up();
  loop_.wake_up();
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(loop_.turns(), before + 1);
}

TEST_F(EventLoopTest, NotificationsBeforeTheLoopHandlesThemCountAsOne) {
  Notifier notifier(loop_, [this] { journal_ += 'n'; });
  notifier.notify();
  notifier.notify();
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "n");
  notifier.notify();
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "nn");
}

TEST_F(EventLoopTest, ANotificationIsServedBeforeLaterEvents) {
  add_all();
  Notifier notifier(loop_, [this] { journal_ += 'n'; });
  notifier.notify();
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kWakeUp, EPOLLIN}, {kB, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "anb");
}

TEST_F(EventLoopTest, ForgetsADestroyedNotifier) {
  {
    Notifier mortal(loop_, [this] { journal_ += 'n'; });
    mortal.notify();
  }
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}}, -1);
  iterate();
  kernel_.expect_epoll_wait({}, -1);
  iterate();
  EXPECT_EQ(journal_, "");
}

TEST_F(EventLoopTest, EnqueueTwiceGivesOneTurn) {
  loop_.enqueue(a_);
  loop_.enqueue(a_);
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "a");
  kernel_.expect_epoll_wait({}, -1);
  iterate();
}

TEST_F(EventLoopTest, AnInterruptedWaitIsAnIterationWithoutEvents) {
  add_all();
  kernel_.expect_epoll_wait_error(EINTR);
  iterate();
  EXPECT_EQ(journal_, "");
  kernel_.expect_epoll_wait({{kA, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "a");
}

// Removal.

TEST_F(EventLoopTest, ARemovedChannelLosesItsTurn) {
  add_all();
  a_.then([this] {
    loop_.remove(b_);
    loop_.remove(c_);
  });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}, {kC, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "a");
  kernel_.expect_epoll_wait({}, -1);
  iterate();
}

TEST_F(EventLoopTest, AChannelThatRemovesItselfInItsTurnIsNotTouchedAgain) {
  add_all();
  a_.then([this] { loop_.remove(a_); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  kernel_.expect_epoll_wait({{kA, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "ab");
  EXPECT_EQ(loop_.stale_events(), 1U);
}

TEST_F(EventLoopTest, ARegistrationDoesNotInheritRemovedEvents) {
  add_all();
  a_.then([this] { loop_.remove(b_); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN | EPOLLHUP}});
  iterate();
  (void)sys::UniqueFd::adopt(kB);  // Closes the descriptor, which ends its registration.
  kernel_.expect_socket(kB);
  (void)sys::UniqueFd::adopt(sys::calls::socket(AF_INET, SOCK_STREAM, 0)).release();
  ASSERT_TRUE(loop_.add(b_, kB, EPOLLIN).ok());
  kernel_.expect_epoll_wait({{kB, EPOLLIN}});
  iterate();
  EXPECT_EQ(b_.events(), std::vector<std::uint32_t>{EPOLLIN});
}

TEST_F(EventLoopTest, AReusedSlotHasANewTokenAndCountsOldEventsAsStale) {
  ASSERT_TRUE(loop_.add(a_, kA, EPOLLIN).ok());
  const std::uint64_t old = kernel_.token_of(kA);
  loop_.remove(a_);
  ASSERT_TRUE(loop_.add(b_, kB, EPOLLIN).ok());
  const std::uint64_t current = kernel_.token_of(kB);
  EXPECT_EQ(static_cast<std::uint32_t>(old), static_cast<std::uint32_t>(current));
  EXPECT_NE(old, current);
  kernel_.expect_epoll_wait({{.fd = kB, .events = EPOLLIN, .token = old}});
  iterate();
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(loop_.stale_events(), 1U);
}

TEST_F(EventLoopTest, ATokenWithoutASlotIsStale) {
  kernel_.expect_epoll_wait({{.fd = kA, .events = EPOLLIN, .token = 12345}});
  iterate();
  EXPECT_EQ(loop_.stale_events(), 1U);
}

TEST_F(EventLoopTest, AnUnregisteredChannelCanBeRemovedOrDestroyedWhileReady) {
  loop_.remove(a_);
  {
    Recorder mortal("m", journal_);
    loop_.enqueue(mortal);
    loop_.enqueue(b_);
  }
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "b");
}

// Registration.

TEST_F(EventLoopTest, EveryMaskIsEdgeTriggered) {
  kernel_.expect_add(kA, EPOLLIN | EPOLLET);
  ASSERT_TRUE(loop_.add(a_, kA, EPOLLIN).ok());
  const std::uint64_t token = kernel_.token_of(kA);
  kernel_.expect_modify(kA, EPOLLOUT | EPOLLET);
  EXPECT_TRUE(loop_.modify(a_, kA, EPOLLOUT).ok());
  EXPECT_EQ(kernel_.token_of(kA), token);
  kernel_.expect_modify(kA, EPOLLIN | EPOLLET, ENOENT);
  EXPECT_EQ(loop_.modify(a_, kA, EPOLLIN).error(), ENOENT);
  kernel_.verify();
}

TEST_F(EventLoopTest, AFailedAddLeavesTheChannelUnregistered) {
  kernel_.expect_add(kA, EPOLLIN | EPOLLET, ENOSPC);
  EXPECT_EQ(loop_.add(a_, kA, EPOLLIN).error(), ENOSPC);
  EXPECT_TRUE(loop_.add(a_, kA, EPOLLIN).ok());
}

TEST_F(EventLoopTest, AnAddWithoutMemoryFailsAndTheOtherChannelsAreStillServed) {
  std::vector<std::unique_ptr<Recorder>> crowd;
  constexpr int kCrowd = 63;  // With the loop's own wake-up, all slots of the first allocation.
  for (int i = 0; i < kCrowd; ++i) {
    crowd.push_back(std::make_unique<Recorder>("x", journal_));
    ASSERT_TRUE(loop_.add(*crowd.back(), 100 + i, EPOLLIN).ok());
  }
  const std::size_t adds = kernel_.count(Call::epoll_add);
  sys::IoResult added = sys::IoResult::failure(0);
  {
    const AllocationFailure no_memory;
    added = loop_.add(a_, kA, EPOLLIN);
  }
  EXPECT_EQ(added.error(), ENOMEM);
  EXPECT_EQ(kernel_.count(Call::epoll_add), adds);
  kernel_.expect_epoll_wait({{100, EPOLLIN}});
  iterate();
  EXPECT_EQ(journal_, "x");
  EXPECT_TRUE(loop_.add(a_, kA, EPOLLIN).ok());
  for (const auto& channel : crowd) {
    const AllocationFailure no_memory;  // remove() must not allocate.
    loop_.remove(*channel);
  }
}

TEST_F(EventLoopTest, AFailedConstructionClosesItsDescriptors) {
  kernel_.expect_epoll_create(-1, EMFILE);
  EXPECT_THROW(EventLoop(), std::system_error);
  kernel_.expect_epoll_create(50);
  kernel_.expect_eventfd(-1, ENFILE);
  EXPECT_THROW(EventLoop(), std::system_error);
  EXPECT_TRUE(kernel_.was_closed(50));
  kernel_.expect_epoll_create(50);
  kernel_.expect_eventfd(51);
  kernel_.expect_add(51, EPOLLIN | EPOLLET, ENOMEM);
  EXPECT_THROW(EventLoop(), std::system_error);
  EXPECT_TRUE(kernel_.was_closed(50));
  EXPECT_TRUE(kernel_.was_closed(51));
}

TEST_F(EventLoopTest, ADescriptorCanBeForgottenBeforeItIsClosed) {
  add_all();
  loop_.remove(a_);
  kernel_.expect_remove(kA);
  loop_.forget_descriptor(kA);
  kernel_.verify();
  EXPECT_FALSE(kernel_.registration(kA).has_value());
}

// Time.

TEST_F(EventLoopTest, WaitsForTheNextTimerRoundedUpAndRunsIt) {
  Timer timer(loop_.timers(), [this] { journal_ += 't'; });
  timer.expire_at(loop_.now() + 1500us);
  kernel_.expect_epoll_wait_timeout(2);
  iterate();
  EXPECT_EQ(journal_, "t");
  kernel_.expect_epoll_wait({}, -1);
  iterate();
}

TEST_F(EventLoopTest, DoesNotWaitForATimerThatIsOverdue) {
  Timer timer(loop_.timers(), [this] { journal_ += 't'; });
  timer.expire_at(loop_.now() - 1s);
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "t");
}

TEST_F(EventLoopTest, WaitsForADistantTimerInParts) {
  Timer timer(loop_.timers(), [this] { journal_ += 't'; });
  timer.expire_at(loop_.now() + 60 * 24h);
  kernel_.expect_epoll_wait_timeout(INT32_MAX);
  iterate();
  EXPECT_EQ(journal_, "");
}

TEST_F(EventLoopTest, TimersRunAfterTheTurnsOfTheirIteration) {
  add_all();
  Timer timer(loop_.timers(), [this] { journal_ += 't'; });
  timer.expire_at(loop_.now());
  kernel_.expect_epoll_wait({{kA, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "at");
}

TEST_F(EventLoopTest, ReadsTheClockOnceInAnIteration) {
  add_all();
  const sys::TimePoint before = loop_.now();
  a_.then([this] { kernel_.advance(5s); });
  b_.then([this, before] { EXPECT_EQ(loop_.now(), before + 1s); });
  kernel_.advance(1s);
  const std::size_t reads = kernel_.count(Call::clock_gettime);
  kernel_.expect_epoll_wait({{kA, EPOLLIN}, {kB, EPOLLIN}});
  iterate();
  EXPECT_LE(kernel_.count(Call::clock_gettime), reads + 1);
}

// Spinning before sleeping.

TEST_F(EventLoopTest, SpinsUntilAnEventArrives) {
  add_all();
  loop_.set_busy_poll(50us);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_epoll_wait({{kA, EPOLLIN}}, 0);
  iterate();
  EXPECT_EQ(journal_, "a");
}

TEST_F(EventLoopTest, SleepsAfterASpinWithoutEventsAndSkipsTheNextSpin) {
  add_all();
  loop_.set_busy_poll(50us);
  kernel_.expect_epoll_wait({}, 0).then([this] { kernel_.advance(49us); });
  kernel_.expect_epoll_wait({}, 0).then([this] { kernel_.advance(1us); });
  kernel_.expect_epoll_wait({{kA, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "a");
  kernel_.expect_epoll_wait({{kB, EPOLLIN}}, -1);
  iterate();
  EXPECT_EQ(journal_, "ab");
}

TEST_F(EventLoopTest, StopsSpinningWhenATimerIsDue) {
  loop_.set_busy_poll(50us);
  Timer timer(loop_.timers(), [this] { journal_ += 't'; });
  timer.expire_at(loop_.now() + 10us);
  kernel_.expect_epoll_wait({}, 0).then([this] { kernel_.advance(10us); });
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "t");
}

TEST_F(EventLoopTest, DoesNotSpinWhileTheReadyListIsNotEmpty) {
  add_all();
  loop_.set_busy_poll(50us);
  loop_.enqueue(a_);
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(journal_, "a");
}

}  // namespace
}  // namespace echod::test
