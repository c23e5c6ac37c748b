#include "roster.hpp"

#include <optional>
#include <utility>

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

// An even spread is worth handing over for, an exact one is not: `worker` keeps it unless another
// one has fewer by over a sixteenth of the mean.
bool Roster::spread(std::size_t worker, Inbox::Connections& accepted, sys::TimePoint now) noexcept {
  constexpr std::uint32_t kTolerance = 16;
  const auto mean = static_cast<std::uint32_t>(connections() / seats_.size());
  const std::uint32_t tolerated = mean / kTolerance;
  const std::uint32_t own = connections_of(worker);
  return own > tolerated && give(accepted, own - tolerated, now);
}

// It has the fewest connections maybe just because it can take none. While it cannot it tries, and
// comes here, more often than it has rested: two of them do not give each other the same ones.
bool Roster::pass_on(std::size_t worker, Inbox::Connections& given, sys::TimePoint now) noexcept {
  constexpr std::chrono::milliseconds kRest{500};
  seats_[worker].out_of_memory_until.store(now + kRest, std::memory_order_relaxed);
  const bool is_given = give(given, kAnyNumber, now);
  if (is_given) {
    seats_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
  }
  return is_given;
}

void Roster::relieve(std::size_t late, sys::TimePoint now) noexcept {
  Inbox& inbox = seats_[late].inbox;
  inbox.set_late();
  for (auto news = inbox.take_back_room(); news; news = inbox.take_back_room()) {
    (void)wake_one(kNobody, *news);
  }
  // Not if it looks meanwhile: it takes the rest itself.
  while (inbox.is_late() && emptiest(kAnyNumber, now) != kNobody) {
    Inbox::Connections one = inbox.take_back_connection();
    if (one.empty()) {
      return;
    }
    if (give(one, kAnyNumber, now)) {
      seats_[late].connections.fetch_sub(1, std::memory_order_relaxed);
    } else if (!inbox.put_back(one)) {
      leave(late);  // That worker has ended, or there is no memory.
    }
  }
}

// The first of `from`, to the worker with the fewest connections, if that is below `below`.
bool Roster::give(Inbox::Connections& from, std::uint32_t below, sys::TimePoint now) noexcept {
  for (std::size_t tried = 0; tried < seats_.size(); ++tried) {
    const std::size_t worker = emptiest(below, now);
    if (worker == kNobody) {
      return false;
    }
    // Counted before it is there, so that those who accept at the same time look further, and so
    // that it cannot leave before it is counted.
    keep(worker);
    if (seats_[worker].inbox.hand_over(from, now)) {
      return true;
    }
    seats_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
    relieve(worker, now);
  }
  return false;
}

std::size_t Roster::emptiest(std::uint32_t below, sys::TimePoint now) const noexcept {
  std::size_t found = kNobody;
  for (std::size_t worker = 0; worker < seats_.size(); ++worker) {
    const Seat& seat = seats_[worker];
    if (connections_of(worker) < below && !seat.inbox.is_late() &&
        seat.out_of_memory_until.load(std::memory_order_relaxed) <= now) {
      below = connections_of(worker);
      found = worker;
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
    if (seats_[one].inbox.tell_of_room(waiters)) {
      return false;
    }
    // It waits on, unless it has changed its mind.
    Wait none = Wait::nothing;
    if (seats_[one].wait.compare_exchange_strong(none, wait)) {
      waiting_.fetch_add(1);
    }
  }
  return false;
}

}  // namespace echod
