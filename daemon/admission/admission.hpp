// Counts connections against the limit, and decides which worker accepts the next client.
//
// The workers share one Admission. They use it when a connection comes or goes, never for its
// bytes. A connection takes a slot of the limit before it is accepted.
//
// The kernel's accept queue is the only queue: every worker may accept from it, and a connection
// belongs to the worker that accepted it. A worker that should not accept wakes another one. Two
// kinds of worker are skipped: workers that have not answered such a wake-up within kWakeTimeout,
// and workers that have no memory for a connection. If no worker can accept, a flag is set here,
// and the worker in which the next connection ends accepts the waiting clients (acceptor.hpp).
// docs/spreading.md compares this with the alternatives.
//
// Thread-safety: any thread, unless a function says otherwise. Never blocks, takes no lock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sys/clock.hpp"

namespace echod {

class Notifier;

class Admission {
 public:
  // A worker that does not answer a wake-up for so long is skipped until it answers.
  static constexpr std::chrono::milliseconds kWakeTimeout{100};

  // Workers are numbered from 0. Throws std::bad_alloc.
  Admission(std::uint32_t max_connections, std::size_t workers);

  [[nodiscard]] std::uint32_t connections() const noexcept { return connections_.load(); }
  [[nodiscard]] std::uint32_t max_connections() const noexcept { return max_connections_.load(); }
  [[nodiscard]] bool is_full() const noexcept { return connections() >= max_connections(); }
  [[nodiscard]] std::uint32_t connections_of(std::size_t worker) const noexcept {
    return workers_[worker].connections.load(std::memory_order_relaxed);
  }

  // A lower limit closes no established connection.
  void set_max_connections(std::uint32_t max_connections) noexcept {
    max_connections_.store(max_connections);
  }

  // Takes a slot before accepting; false if the limit is reached.
  [[nodiscard]] bool try_take_slot() noexcept;
  // Takes a slot even beyond the limit.
  void take_slot() noexcept { connections_.fetch_add(1); }
  // Returns the slot, because accept4(2) has failed.
  void return_slot() noexcept { connections_.fetch_sub(1); }
  // Counts the accepted connection as `worker`'s. Call it only after accept4(2) succeeded, or a
  // worker that finds the queue empty would look more loaded than it is.
  void count_connection(std::size_t worker) noexcept {
    workers_[worker].connections.fetch_add(1, std::memory_order_relaxed);
  }
  // A connection of `worker` was closed: returns its slot.
  void connection_closed(std::size_t worker) noexcept;

  // Notes that clients wait in an accept queue for a slot. Check is_full() afterwards: a connection
  // that closed just before did not see the note.
  void note_waiting_clients() noexcept { are_clients_waiting_.store(true); }
  // If clients wait, returns true to one caller, which must then poll the accept queues.
  [[nodiscard]] bool claim_waiting_clients() noexcept {
    return are_clients_waiting_.load() && are_clients_waiting_.exchange(false);
  }

  // Returns the worker that should accept the next client instead of `worker`: the one with the
  // fewest connections, if `worker` has more by over 1/32 of the mean (rounded). Else returns
  // nothing. `now` may be the time of the iteration: an old value only delays the moment at which a
  // worker that does not answer is skipped.
  [[nodiscard]] std::optional<std::size_t> less_loaded_than(std::size_t worker,
                                                            sys::TimePoint now) const noexcept;
  // Returns the worker with the fewest connections among the others that can accept.
  [[nodiscard]] std::optional<std::size_t> least_loaded_except(std::size_t worker,
                                                               sys::TimePoint now) const noexcept;

  // From now on `worker` can be woken: `on_wake` is notified, and must make the worker call
  // answer_wake() and poll the accept queues. Call it before the threads start; remove_worker()
  // must come before `on_wake` is destroyed.
  void add_worker(std::size_t worker, Notifier& on_wake) noexcept;
  // Call it only when no other worker's thread runs any more.
  void remove_worker(std::size_t worker) noexcept;
  // Whether `worker` has memory for a connection and accepts at all.
  void set_can_accept(std::size_t worker, bool can_accept) noexcept;
  // Wakes `worker` to poll the accept queues. Returns the time of the wake-up. If an earlier
  // wake-up is not answered yet, does nothing and returns the time of that one.
  sys::TimePoint wake(std::size_t worker) noexcept;
  // `worker` is about to poll the accept queues.
  void answer_wake(std::size_t worker) noexcept;
  [[nodiscard]] bool has_answered(std::size_t worker, sys::TimePoint woken_at) const noexcept {
    return workers_[worker].woken_at.load() != woken_at;
  }

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr sys::TimePoint kNotWoken{};

  struct alignas(kCacheLine) WorkerEntry {
    std::atomic<std::uint32_t> connections{0};
    std::atomic<bool> can_accept{false};
    std::atomic<sys::TimePoint> woken_at{kNotWoken};  // Not answered yet.
    Notifier* on_wake = nullptr;
  };

  alignas(kCacheLine) std::atomic<std::uint32_t> connections_{0};  // Slots taken.
  std::atomic<std::uint32_t> max_connections_;
  std::atomic<bool> are_clients_waiting_{false};
  std::vector<WorkerEntry> workers_;
};

// The admission and the number of a worker that uses it. Thread-safety: as Admission.
struct WorkerAdmission {
  Admission& shared;
  std::size_t worker;

  // Counts a connection that the worker gets without accepting it, even beyond the limit.
  void add_connection() const noexcept {
    shared.take_slot();
    shared.count_connection(worker);
  }
  void connection_closed() const noexcept { shared.connection_closed(worker); }
};

}  // namespace echod
