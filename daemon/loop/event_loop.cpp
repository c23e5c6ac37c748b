#include "loop/event_loop.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include "loop/notifier.hpp"
#include "sys/invariant.hpp"

namespace echod {

namespace {

constexpr unsigned kSlotBits = 32;

std::uint64_t token_of(std::uint32_t slot, std::uint32_t generation) noexcept {
  return (std::uint64_t{generation} << kSlotBits) | slot;
}

}  // namespace

EventLoop::EventLoop() {
  const sys::IoResult added = add(wake_up_channel_, wake_up_fd_.fd(), EPOLLIN);
  if (!added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

EventLoop::~EventLoop() {
  remove(wake_up_channel_);
}

bool EventLoop::reserve() noexcept {
  return !free_slots_.empty() || slots_.size() < slots_.capacity() || grow_slots();
}

sys::IoResult EventLoop::add(Channel& channel, int fd, std::uint32_t events) noexcept {
  invariant(channel.slot_ == Channel::kNoSlot, "a channel is registered once");
  if (!reserve()) {
    return sys::IoResult::failure(ENOMEM);
  }
  assign_slot(channel);
  const sys::IoResult added =
      epoll_.add(fd, events | EPOLLET, token_of(channel.slot_, channel.generation_));
  if (!added.ok()) {
    remove(channel);
  }
  return added;
}

sys::IoResult EventLoop::modify(const Channel& channel, int fd, std::uint32_t events) noexcept {
  return epoll_.modify(fd, events | EPOLLET, token_of(channel.slot_, channel.generation_));
}

void EventLoop::remove(Channel& channel) noexcept {
  channel.unlink();
  channel.pending_events_ = 0;
  if (std::exchange(channel.is_ready_, false)) {
    --ready_count_;
  }
  if (channel.slot_ != Channel::kNoSlot) {
    slots_[channel.slot_] = nullptr;
    free_slots_.push_back(std::exchange(channel.slot_, Channel::kNoSlot));
  }
}

void EventLoop::enqueue(Channel& channel) noexcept {
  if (std::exchange(channel.is_ready_, true)) {
    return;
  }
  ++ready_count_;
  if (!channel.is_linked()) {
    ready_.push_back(channel);
  }
}

// Reads events until a batch is not full, so that all ready channels are in the same pass. Bounds
// the work: stops after as many events as there are slots, because peers that keep sending could
// otherwise delay the pass without end.
void EventLoop::run_once() {
  auto events = wait();
  merge(events);
  for (std::size_t asked = events.size();
       events.size() == sys::Epoll::kBatch && asked < slots_.size(); asked += events.size()) {
    events = epoll_.wait(0);
    merge(events);
  }
  make_pass();
  timers_.run_due(now_);
}

std::span<const epoll_event> EventLoop::wait() noexcept {
  if (wait_timeout_ms() != 0 && busy_poll_.should_spin()) {
    const auto events = spin();
    if (!events.empty()) {
      busy_poll_.found_something();
      return events;
    }
    busy_poll_.found_nothing();
  }
  const auto events = epoll_.wait(wait_timeout_ms());
  now_ = sys::MonotonicClock::now();
  return events;
}

// Polls until an event arrives, the time is over or a timer is due.
std::span<const epoll_event> EventLoop::spin() noexcept {
  now_ = sys::MonotonicClock::now();
  const sys::TimePoint end = now_ + busy_poll_.time();
  for (;;) {
    const auto events = epoll_.wait(0);
    now_ = sys::MonotonicClock::now();
    if (!events.empty() || now_ >= end || wait_timeout_ms() == 0) {
      return events;
    }
  }
}

int EventLoop::wait_timeout_ms() const noexcept {
  if (ready_count_ > 0) {
    return 0;
  }
  if (timers_.empty()) {
    return -1;
  }
  const auto remaining =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.next_deadline() - now_).count();
  return static_cast<int>(std::clamp<std::int64_t>(remaining, 0, std::numeric_limits<int>::max()));
}

Channel* EventLoop::find(std::uint64_t token) const noexcept {
  const auto slot = static_cast<std::uint32_t>(token);
  Channel* const channel = slot < slots_.size() ? slots_[slot] : nullptr;
  return channel != nullptr && channel->generation_ == token >> kSlotBits ? channel : nullptr;
}

void EventLoop::assign_slot(Channel& channel) noexcept {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  channel.slot_ = free_slots_.back();
  free_slots_.pop_back();
  channel.generation_ = ++last_generation_;
  slots_[channel.slot_] = &channel;
}

bool EventLoop::grow_slots() noexcept {
  constexpr std::size_t kFirst = 64;
  const std::size_t capacity = std::max(kFirst, 2 * slots_.capacity());
  try {
    free_slots_.reserve(capacity);
    slots_.reserve(capacity);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

void EventLoop::merge(std::span<const epoll_event> events) noexcept {
  static_assert((EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP) <= UINT16_MAX);
  for (const epoll_event& event : events) {
    Channel* const channel = find(event.data.u64);
    if (channel == nullptr) {
      ++stale_events_;
      continue;
    }
    channel->pending_events_ = static_cast<std::uint16_t>(channel->pending_events_ | event.events);
    enqueue(*channel);
    if (channel == &wake_up_channel_) {
      enqueue_notified();
    }
  }
}

// Clears the descriptor first, so that a later notification wakes the loop again.
void EventLoop::enqueue_notified() noexcept {
  wake_up_fd_.clear();
  for (Notifier* const notifier : notifiers_) {
    if (notifier->is_raised_.exchange(false)) {
      enqueue(*notifier);
    }
  }
}

// Puts a channel in served_ before its turn, because the turn may remove the channel.
void EventLoop::make_pass() noexcept {
  IntrusiveList<Channel> pass;
  pass.append_all(ready_);
  pass.append_all(served_);
  while (!is_interrupted_.load(std::memory_order_relaxed)) {
    Channel* const channel = pass.pop_front();
    if (channel == nullptr) {
      break;
    }
    if (!std::exchange(channel->is_ready_, false)) {
      continue;
    }
    --ready_count_;
    served_.push_back(*channel);
    turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const std::uint32_t events = std::exchange(channel->pending_events_, std::uint16_t{0});
    if (channel->on_turn(events) == Turn::again) {
      enqueue(*channel);
    }
  }
  // An exchange and not a store: it also makes visible what the other thread wrote before it called
  // interrupt().
  (void)is_interrupted_.exchange(false);
  pass.append_all(ready_);
  ready_.append_all(pass);
}

}  // namespace echod
