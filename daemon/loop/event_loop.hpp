// One thread's event loop over one epoll instance.
//
// An iteration: wait (not at all while the ready list is not empty; maybe spinning before sleeping,
// see busy_poll.hpp), read the clock once, merge all events that the kernel has into their
// channels, make one pass over the ready list, run the timers that are due.
//
// A pass gives each channel that is ready one turn: first those that had no turn in the pass
// before, in the order in which they became ready, then the others in the order of their last
// turns. So a channel that becomes ready waits for at most one turn of every other channel, however
// many are ready or busy: whichever has a turn meanwhile comes behind it from then on.
//
// A registration is known to the kernel by a token of slot and generation, so that an event meant
// for a channel that has gone can never reach the next user of its slot.
//
// Thread-safety: one thread runs the loop and calls everything; only what says so is for any
// thread.
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

  // Makes sure that there is memory for the next add(); false when there is none.
  [[nodiscard]] bool reserve() noexcept;
  // Registers `fd` for `events` (EPOLL* bits; EPOLLET is added). The channel must be removed before
  // it dies. Fails with the errno of epoll_ctl(2), or ENOMEM.
  sys::IoResult add(Channel& channel, int fd, std::uint32_t events) noexcept;
  // Changes the mask. What is pending under the new one raises an event, so nothing is lost between
  // a change of state and this call.
  sys::IoResult modify(const Channel& channel, int fd, std::uint32_t events) noexcept;
  // Forgets the channel and any turn it was waiting for. The registration itself ends when `fd` is
  // closed; where another process holds the same socket, call forget_descriptor() too.
  void remove(Channel& channel) noexcept;
  void forget_descriptor(int fd) noexcept { (void)epoll_.remove(fd); }

  // Gives `channel`, registered or not, one turn: in the next pass, or still in this one.
  void enqueue(Channel& channel) noexcept;

  // The time at which this iteration's wait ended.
  [[nodiscard]] sys::TimePoint now() const noexcept { return now_; }
  [[nodiscard]] Timers& timers() noexcept { return timers_; }
  // Events that arrived for a channel that had gone. Any thread.
  [[nodiscard]] std::uint64_t stale_events() const noexcept { return stale_events_.load(); }

  // How long to look for events before sleeping, from now on; 0: not at all.
  void set_busy_poll(sys::Duration time) noexcept { busy_poll_.set_time(time); }

  // Ends a wait, or the next one: turns() grows. Any thread; never blocks.
  void wake_up() noexcept { wake_up_fd_.signal(); }
  // Turns so far. A loop that is woken up and makes no turn is stuck. Any thread.
  [[nodiscard]] std::uint64_t turns() const noexcept {
    return turns_.load(std::memory_order_relaxed);
  }

  // One iteration; waits until there is something to do.
  void run_once();

 private:
  // Its turns do nothing: they show that the loop is not stuck.
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
  // Channels that are ready and had no turn in the last pass.
  IntrusiveList<Channel> ready_;
  // Channels that had a turn in the last pass, in the order of the turns, ready or not.
  IntrusiveList<Channel> served_;
  std::size_t ready_count_ = 0;          // Channels that are ready, in both lists.
  std::atomic<std::uint64_t> turns_{0};  // Written by the loop's thread alone.
  Timers timers_;
  BusyPoll busy_poll_;
  std::vector<Channel*> slots_;            // nullptr: free.
  std::vector<std::uint32_t> free_slots_;  // Has room for all slots, so freeing cannot fail.
  std::uint32_t last_generation_ = 0;
  std::atomic<std::uint64_t> stale_events_{0};

  sys::EventFd wake_up_fd_;
  WakeUp wake_up_channel_;
  std::vector<Notifier*> notifiers_;
};

}  // namespace echod
