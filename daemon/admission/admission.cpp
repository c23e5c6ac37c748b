#include "admission/admission.hpp"

#include "loop/notifier.hpp"
#include "sys/invariant.hpp"

namespace echod {

Admission::Admission(std::uint32_t max_connections, std::size_t workers)
    : max_connections_(max_connections), workers_(workers) {}

bool Admission::try_take_slot() noexcept {
  std::uint32_t connections = connections_.load();
  do {
    if (connections >= max_connections_.load()) {
      return false;
    }
  } while (!connections_.compare_exchange_weak(connections, connections + 1));
  return true;
}

void Admission::connection_closed(std::size_t worker) noexcept {
  invariant(connections_of(worker) > 0, "a connection is closed once");
  workers_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
  connections_.fetch_sub(1);
}

// Tolerates a small lead: evening it out would wake another thread for many connections.
std::optional<std::size_t> Admission::less_loaded_than(std::size_t worker,
                                                       sys::TimePoint now) const noexcept {
  constexpr std::size_t kPart = 32;
  const auto other = least_loaded_except(worker, now);
  const std::size_t parts = kPart * workers_.size();
  const auto tolerated = static_cast<std::uint32_t>((connections() + parts / 2) / parts);
  const bool is_less_loaded = other && connections_of(worker) > connections_of(*other) + tolerated;
  return is_less_loaded ? other : std::nullopt;
}

std::optional<std::size_t> Admission::least_loaded_except(std::size_t worker,
                                                          sys::TimePoint now) const noexcept {
  std::optional<std::size_t> fewest;
  for (std::size_t other = 0; other < workers_.size(); ++other) {
    const WorkerEntry& state = workers_[other];
    const sys::TimePoint woken_at = state.woken_at.load(std::memory_order_relaxed);
    const bool is_unresponsive = woken_at != kNotWoken && now - woken_at > kWakeTimeout;
    if (other != worker && state.can_accept.load() && !is_unresponsive &&
        (!fewest || connections_of(other) < connections_of(*fewest))) {
      fewest = other;
    }
  }
  return fewest;
}

void Admission::add_worker(std::size_t worker, Notifier& on_wake) noexcept {
  workers_[worker].on_wake = &on_wake;
  workers_[worker].can_accept = true;
}

void Admission::remove_worker(std::size_t worker) noexcept {
  workers_[worker].can_accept = false;
  workers_[worker].on_wake = nullptr;
}

void Admission::set_can_accept(std::size_t worker, bool can_accept) noexcept {
  std::atomic<bool>& current = workers_[worker].can_accept;
  if (current.load(std::memory_order_relaxed) != can_accept) {
    current.store(can_accept);
  }
}

sys::TimePoint Admission::wake(std::size_t worker) noexcept {
  WorkerEntry& state = workers_[worker];
  sys::TimePoint woken_at = kNotWoken;
  const sys::TimePoint now = sys::MonotonicClock::now();
  if (!state.woken_at.compare_exchange_strong(woken_at, now)) {
    return woken_at;
  }
  if (state.on_wake != nullptr) {
    state.on_wake->notify();
  }
  return now;
}

void Admission::answer_wake(std::size_t worker) noexcept {
  std::atomic<sys::TimePoint>& woken_at = workers_[worker].woken_at;
  if (woken_at.load() != kNotWoken) {
    woken_at.store(kNotWoken);
  }
}

}  // namespace echod
