#include "admission.hpp"

#include "invariant.hpp"
#include "notifier.hpp"

namespace echod {

Admission::Admission(std::uint32_t max_connections, std::size_t workers)
    : max_connections_(max_connections), seats_(workers) {}

bool Admission::try_enter() noexcept {
  std::uint32_t connections = connections_.load();
  do {
    if (connections >= max_connections_.load()) {
      return false;
    }
  } while (!connections_.compare_exchange_weak(connections, connections + 1));
  return true;
}

void Admission::leave(std::size_t worker) noexcept {
  invariant(connections_of(worker) > 0, "a connection leaves once");
  seats_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
  connections_.fetch_sub(1);
}

// A small lead is kept: to even it out would wake another thread for many connections.
std::optional<std::size_t> Admission::emptier_than(std::size_t worker,
                                                   sys::TimePoint now) const noexcept {
  constexpr std::size_t kPart = 32;
  const auto other = other_than(worker, now);
  const std::size_t parts = kPart * seats_.size();
  const auto tolerated = static_cast<std::uint32_t>((connections() + parts / 2) / parts);
  const bool is_emptier = other && connections_of(worker) > connections_of(*other) + tolerated;
  return is_emptier ? other : std::nullopt;
}

std::optional<std::size_t> Admission::other_than(std::size_t worker,
                                                 sys::TimePoint now) const noexcept {
  std::optional<std::size_t> fewest;
  for (std::size_t other = 0; other < seats_.size(); ++other) {
    const Seat& seat = seats_[other];
    const sys::TimePoint called = seat.called.load(std::memory_order_relaxed);
    const bool is_late = called != kNotCalled && now - called > kPatience;
    if (other != worker && seat.is_ready.load() && !is_late &&
        (!fewest || connections_of(other) < connections_of(*fewest))) {
      fewest = other;
    }
  }
  return fewest;
}

void Admission::open_seat(std::size_t worker, Notifier& on_called) noexcept {
  seats_[worker].on_called = &on_called;
  seats_[worker].is_ready = true;
}

void Admission::close_seat(std::size_t worker) noexcept {
  seats_[worker].is_ready = false;
  seats_[worker].on_called = nullptr;
}

void Admission::set_ready(std::size_t worker, bool is_ready) noexcept {
  std::atomic<bool>& current = seats_[worker].is_ready;
  if (current.load(std::memory_order_relaxed) != is_ready) {
    current.store(is_ready);
  }
}

sys::TimePoint Admission::call(std::size_t worker) noexcept {
  Seat& seat = seats_[worker];
  sys::TimePoint called = kNotCalled;
  const sys::TimePoint now = sys::MonotonicClock::now();
  if (!seat.called.compare_exchange_strong(called, now)) {
    return called;
  }
  if (seat.on_called != nullptr) {
    seat.on_called->notify();
  }
  return now;
}

void Admission::come(std::size_t worker) noexcept {
  std::atomic<sys::TimePoint>& called = seats_[worker].called;
  if (called.load() != kNotCalled) {
    called.store(kNotCalled);
  }
}

}  // namespace echod
