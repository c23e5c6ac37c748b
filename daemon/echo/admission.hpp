// Which worker accepts the next client, and whether there is room for it. It is all that workers
// share, and is used when a connection comes or goes, never for its bytes.
//
// The kernel's accept queue is the only queue: every worker may accept from it, and what a worker
// accepts is its own at once.
//
// A worker that should not accept calls another one. A worker that was called and does not come is
// late, one without memory for a connection is not ready: both are skipped. When no worker can
// accept, the wish for room is noted; the worker in which the next connection ends takes it
// (acceptor.hpp). docs/spreading.md compares this with the alternatives.
//
// Thread-safety: any thread, at any time, but for what says otherwise. Takes no lock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "clock.hpp"

namespace echod {

class Notifier;

class Admission {
 public:
  // How long a worker that was called may take to come.
  static constexpr std::chrono::milliseconds kPatience{100};

  // Workers have the numbers from 0 on. Throws std::bad_alloc.
  Admission(std::uint32_t max_connections, std::size_t workers);

  [[nodiscard]] std::uint32_t connections() const noexcept { return connections_.load(); }
  [[nodiscard]] std::uint32_t max_connections() const noexcept { return max_connections_.load(); }
  [[nodiscard]] bool is_full() const noexcept { return connections() >= max_connections(); }
  [[nodiscard]] std::uint32_t connections_of(std::size_t worker) const noexcept {
    return seats_[worker].connections.load(std::memory_order_relaxed);
  }

  // Established connections stay when the bound sinks below their number.
  void set_max_connections(std::uint32_t max_connections) noexcept {
    max_connections_.store(max_connections);
  }

  // Takes room for one connection before it is accepted; false if the daemon is full.
  [[nodiscard]] bool try_enter() noexcept;
  // The same, whether the daemon is full or not.
  void enter() noexcept { connections_.fetch_add(1); }
  // No client was there: frees the room.
  void give_back() noexcept { connections_.fetch_sub(1); }
  // The client was accepted: the connection is `worker`'s. Not earlier, so that a worker that finds
  // the queue empty never seems to have more connections than it has.
  void add_to(std::size_t worker) noexcept {
    seats_[worker].connections.fetch_add(1, std::memory_order_relaxed);
  }
  // A connection of `worker` has ended.
  void leave(std::size_t worker) noexcept;

  // Notes that clients wait for room. Check is_full() afterwards: the end of a connection just
  // before has woken no worker.
  void wish_for_room() noexcept { is_room_wished_.store(true); }
  // Returns true, to one caller, if clients wait for room. That caller must look into the queues.
  [[nodiscard]] bool take_wish() noexcept {
    return is_room_wished_.load() && is_room_wished_.exchange(false);
  }

  // The worker that should accept the next client, if `worker` has clearly more connections: more
  // than the fewest and a 32nd of the mean (rounded). `now` may be an older time: then a worker
  // counts as late later.
  [[nodiscard]] std::optional<std::size_t> emptier_than(std::size_t worker,
                                                        sys::TimePoint now) const noexcept;
  // The worker with the fewest connections of all others that are ready and not late.
  [[nodiscard]] std::optional<std::size_t> other_than(std::size_t worker,
                                                      sys::TimePoint now) const noexcept;

  // Before the threads start. `on_called` belongs to the worker: when it is notified the worker
  // looks into the queues. Call close_seat() before it goes.
  void open_seat(std::size_t worker, Notifier& on_called) noexcept;
  // Only when no other worker's thread runs any more.
  void close_seat(std::size_t worker) noexcept;
  // Whether `worker` can accept.
  void set_ready(std::size_t worker, bool is_ready) noexcept;
  // Has `worker` look into the queues. Returns when it was called: earlier, if it has not come
  // since.
  sys::TimePoint call(std::size_t worker) noexcept;
  // `worker` is about to look into the queues.
  void come(std::size_t worker) noexcept;
  // Whether `worker` has come since it was called at that time.
  [[nodiscard]] bool has_come(std::size_t worker, sys::TimePoint called) const noexcept {
    return seats_[worker].called.load() != called;
  }

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr sys::TimePoint kNotCalled{};

  struct alignas(kCacheLine) Seat {
    std::atomic<std::uint32_t> connections{0};
    std::atomic<bool> is_ready{false};
    std::atomic<sys::TimePoint> called{kNotCalled};
    Notifier* on_called = nullptr;
  };

  alignas(kCacheLine) std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint32_t> max_connections_;
  std::atomic<bool> is_room_wished_{false};
  std::vector<Seat> seats_;
};

}  // namespace echod
