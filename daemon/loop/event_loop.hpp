// The event loop of one thread, with one epoll instance.
//
// An iteration has these steps:
// 1. Wait for events; only poll if a channel is ready. The wait may spin first (busy_poll.hpp).
// 2. Read the clock. (A spin reads it more often.)
// 3. Merge the events that the kernel returned into their channels.
// 4. Make one pass over the ready list.
// 5. Run the timers that are due.
//
// A pass gives each ready channel one turn. Channels that had no turn in the last pass go first, in
// the order in which they became ready. Then come the others, in the order of their last turns. So
// a channel that becomes ready waits for at most one turn of each other channel. interrupt() ends a
// pass early; the channels that it did not reach go first in the next pass.
//
// The epoll token of a registration has a slot and a generation, so an event for a removed channel
// cannot reach the next user of its slot.
//
// Thread-safety: the loop's thread calls everything, except the functions marked "Any thread".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "loop/busy_poll.hpp"
#include "loop/channel.hpp"
#include "loop/timer.hpp"
#include "sys/clock.hpp"
#include "sys/epoll.hpp"
#include "sys/event_fd.hpp"
#include "sys/io_result.hpp"

namespace echod {

class Notifier;

class EventLoop {
 public:
  // Throws std::system_error.
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Allocates memory for the next add(). Returns false if there is none.
  [[nodiscard]] bool reserve() noexcept;
  // Registers `fd` for `events` (EPOLL* bits; EPOLLET is added). The channel must be removed before
  // it is destroyed. Fails with the errno of epoll_ctl(2), or ENOMEM.
  sys::IoResult add(Channel& channel, int fd, std::uint32_t events) noexcept;
  // Changes the mask. If events of the new mask are pending, they are reported, so the caller may
  // change its own state before this call and loses no event.
  sys::IoResult modify(const Channel& channel, int fd, std::uint32_t events) noexcept;
  // Removes the channel from the loop and from the ready list. The kernel's registration ends when
  // `fd` is closed. If the socket stays open elsewhere, in another worker or process, call
  // forget_descriptor() too.
  void remove(Channel& channel) noexcept;
  void forget_descriptor(int fd) noexcept { (void)epoll_.remove(fd); }

  // Gives `channel` one turn, in this pass or the next. The channel need not be registered.
  void enqueue(Channel& channel) noexcept;

  // The time at the end of this iteration's wait.
  [[nodiscard]] sys::TimePoint now() const noexcept { return now_; }
  [[nodiscard]] Timers& timers() noexcept { return timers_; }
  // The number of events for removed channels. Any thread.
  [[nodiscard]] std::uint64_t stale_events() const noexcept { return stale_events_.load(); }

  // Adds the stale events of an earlier program.
  void restore_stale_events(std::uint64_t events) noexcept { stale_events_ += events; }
  // Adds the turns of an earlier program. Call it before the loop runs.
  void restore_turns(std::uint64_t turns) noexcept { turns_ += turns; }

  // How long to spin before sleeping; 0: never spin.
  void set_busy_poll(sys::Duration time) noexcept { busy_poll_.set_time(time); }

  // Wakes the loop and gives it a turn that does nothing. If turns() does not grow then, the loop
  // is stuck. Any thread; never blocks.
  void wake_up() noexcept { wake_up_fd_.signal(); }
  // Makes run_once() return soon. If a pass runs, it ends after the current turn; otherwise the
  // next pass is empty. Any thread; never blocks.
  void interrupt() noexcept {
    is_interrupted_.store(true);
    wake_up();
  }
  // The number of turns so far. Any thread.
  [[nodiscard]] std::uint64_t turns() const noexcept {
    return turns_.load(std::memory_order_relaxed);
  }

  // Runs one iteration. Blocks until there is something to do.
  void run_once();

 private:
  // Its turns do nothing but count: turns() shows that the loop is not stuck.
  class WakeUp final : public Channel {
   public:
    Turn on_turn(std::uint32_t /*events*/) noexcept override { return Turn::wait; }
  };

  friend class Notifier;

  [[nodiscard]] std::span<const epoll_event> wait() noexcept;
  [[nodiscard]] std::span<const epoll_event> spin() noexcept;
  [[nodiscard]] int wait_timeout_ms() const noexcept;
  [[nodiscard]] Channel* find(std::uint64_t token) const noexcept;
  void assign_slot(Channel& channel) noexcept;
  [[nodiscard]] bool grow_slots() noexcept;
  void merge(std::span<const epoll_event> events) noexcept;
  void enqueue_notified() noexcept;
  void make_pass() noexcept;

  sys::Epoll epoll_;
  sys::TimePoint now_ = sys::MonotonicClock::now();
  // Channels that had no turn in the last pass. After an interrupted pass some are not ready.
  IntrusiveList<Channel> ready_;
  // Channels that had a turn in the last pass, in the order of the turns, ready or not.
  IntrusiveList<Channel> served_;
  std::size_t ready_count_ = 0;          // Channels that are ready, in both lists.
  std::atomic<std::uint64_t> turns_{0};  // Written by the loop's thread only.
  std::atomic<bool> is_interrupted_{false};
  Timers timers_;
  BusyPoll busy_poll_;
  std::vector<Channel*> slots_;            // nullptr: free.
  std::vector<std::uint32_t> free_slots_;  // Has capacity for all slots: remove() cannot fail.
  std::uint32_t last_generation_ = 0;
  std::atomic<std::uint64_t> stale_events_{0};

  sys::EventFd wake_up_fd_;
  WakeUp wake_up_channel_;
  std::vector<Notifier*> notifiers_;
};

}  // namespace echod
