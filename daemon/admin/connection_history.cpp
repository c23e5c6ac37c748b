#include "admin/connection_history.hpp"

namespace echod {

void ConnectionHistory::add(const Snapshot& snapshot) noexcept {
  if (size_ > 0 && snapshot.now == (*this)[size_ - 1].time) {
    return;
  }
  if (size_ > 0 && snapshot.now < (*this)[size_ - 1].time) {
    size_ = 0;
  }
  const auto is_too_old = [&snapshot](const Sample& sample) {
    return snapshot.now - sample.time > std::chrono::duration<double>(kLength).count();
  };
  while (size_ > 0 && is_too_old((*this)[0])) {
    remove_oldest();
  }
  if (size_ == ring_.size()) {
    remove_oldest();
  }
  Sample& sample = ring_[(begin_ + size_) % ring_.size()];
  sample = {.time = snapshot.now,
            .connections = open_connections(snapshot),
            .dropped = 0,
            .worker_stalls = snapshot.worker_stalls,
            .cpu_s = snapshot.process.cpu_user_s + snapshot.process.cpu_system_s,
            .counters = total_counters(snapshot),
            .server_delay = total_server_delay(snapshot)};
  for (const ListenerSnapshot& listener : snapshot.listeners) {
    sample.dropped += listener.dropped;
  }
  ++size_;
}

void ConnectionHistory::remove_oldest() noexcept {
  begin_ = (begin_ + 1) % ring_.size();
  --size_;
}

}  // namespace echod
