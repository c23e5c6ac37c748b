#include "roster.hpp"

#include "invariant.hpp"

namespace echod {

Roster::Roster(std::uint32_t max_connections, std::size_t workers)
    : max_connections_(max_connections), seats_(workers) {}

bool Roster::try_enter() noexcept {
  std::uint32_t connections = connections_.load();
  do {
    if (connections >= max_connections_.load()) {
      return false;
    }
  } while (!connections_.compare_exchange_weak(connections, connections + 1));
  return true;
}

void Roster::leave(std::size_t worker) noexcept {
  invariant(connections_of(worker) > 0, "only those who entered leave");
  seats_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
  connections_.fetch_sub(1);
}

bool Roster::spread(std::size_t worker, sys::Accepted& connection, sys::TimePoint now) noexcept {
  for (std::size_t other = emptier_than(worker); other != kNobody; other = emptier_than(worker)) {
    // Counted before it is there, so that those who accept at the same time look further.
    seats_[other].connections.fetch_add(1, std::memory_order_relaxed);
    if (seats_[other].inbox.hand_over(connection, now)) {
      return true;
    }
    seats_[other].connections.fetch_sub(1, std::memory_order_relaxed);
    relieve(other, worker, now);
  }
  return false;
}

void Roster::relieve(std::size_t late, std::size_t worker, sys::TimePoint now) noexcept {
  seats_[late].is_late.store(true);
  const auto moved =
      static_cast<std::uint32_t>(seats_[late].inbox.move_connections(seats_[worker].inbox, now));
  seats_[late].connections.fetch_sub(moved, std::memory_order_relaxed);
  seats_[worker].connections.fetch_add(moved, std::memory_order_relaxed);
}

// The one with the fewest connections, if `worker` has more than that by over a sixteenth of the
// mean: an even spread is worth handing over for, an exact one is not.
std::size_t Roster::emptier_than(std::size_t worker) const noexcept {
  constexpr std::uint32_t kTolerance = 16;
  std::uint32_t fewest = connections_of(worker);
  const auto mean = static_cast<std::uint32_t>(connections() / seats_.size());
  const std::uint32_t tolerated = mean / kTolerance;
  if (fewest <= tolerated) {
    return kNobody;
  }
  fewest -= tolerated;
  std::size_t found = kNobody;
  for (std::size_t other = 0; other < seats_.size(); ++other) {
    if (connections_of(other) < fewest && other != worker && !seats_[other].is_late.load()) {
      fewest = connections_of(other);
      found = other;
    }
  }
  return found;
}

void Roster::set_wait(std::size_t worker, Wait wait) noexcept {
  const Wait before = seats_[worker].wait.exchange(wait);
  if (before == Wait::nothing && wait != Wait::nothing) {
    waiting_.fetch_add(1);
  } else if (before != Wait::nothing && wait == Wait::nothing) {
    waiting_.fetch_sub(1);
  }
}

bool Roster::wake_one(std::size_t worker, Waiters waiters) noexcept {
  if (waiting_.load() == 0) {
    return false;
  }
  for (std::size_t looked = 0; looked < seats_.size(); ++looked) {
    const std::size_t one = next_to_wake_.fetch_add(1) % seats_.size();
    Wait wait = seats_[one].wait.load();
    if (wait == Wait::nothing || (waiters == Waiters::for_room && wait != Wait::for_room) ||
        !seats_[one].wait.compare_exchange_strong(wait, Wait::nothing)) {
      continue;
    }
    waiting_.fetch_sub(1);
    if (one == worker) {
      return true;
    }
    seats_[one].inbox.tell_of_room(waiters);
    return false;
  }
  return false;
}

}  // namespace echod
