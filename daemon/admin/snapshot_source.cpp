#include "admin/snapshot_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "config/listener_text.hpp"
#include "sys/open_files.hpp"
#include "sys/process_usage.hpp"

namespace echod {

namespace {

double seconds_of(std::chrono::microseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

SnapshotSource::SnapshotSource(
    Workers& workers, ServiceAccess& service,
    const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
    const std::vector<DatagramSockets>& datagrams)
    : workers_(workers), service_(service) {
  for (const auto& socket : listeners) {
    listeners_.push_back({.address = socket->name,
                          .socket = socket,
                          .dropped_before = socket->dropped_before,
                          .has_queue = socket->path.empty()});
  }
  for (const DatagramSockets& sockets : datagrams) {
    datagrams_.push_back({.address = listener_text(Protocol::udp, sockets.front()->address),
                          .sockets = {sockets.begin(), sockets.end()}});
  }
}

Snapshot SnapshotSource::take_without_open_files() const {
  Snapshot snapshot;
  snapshot.version = ECHOD_VERSION;
  snapshot.pid = getpid();
  snapshot.now = sys::unix_seconds();
  snapshot.phase = service_.phase();
  snapshot.not_ready_because = not_ready_because();
  snapshot.unhealthy_because = unhealthy_because();
  snapshot.worker_stalls = service_.worker_stalls();
  snapshot.service = service_.facts();
  snapshot.log = service_.log();
  // Closed is read before accepted, so that it is never the larger: workers before listeners.
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    snapshot.workers.push_back(worker(i));
  }
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    snapshot.listeners.push_back(listener(i));
  }
  add_removed_listeners(snapshot);
  for (const DatagramListener& one : datagrams_) {
    snapshot.datagram_listeners.push_back(snapshot_of(one));
  }
  const sys::ProcessUsage usage = sys::process_usage();
  snapshot.process.cpu_user_s = seconds_of(usage.cpu_user);
  snapshot.process.cpu_system_s = seconds_of(usage.cpu_system);
  snapshot.process.resident_bytes = usage.resident_bytes;
  return snapshot;
}

Snapshot SnapshotSource::take() const {
  Snapshot snapshot = take_without_open_files();
  snapshot.process.open_files = sys::open_descriptors();
  return snapshot;
}

// Owns the socket only for the two calls: after a drain the last owner closes it.
ListenerSnapshot SnapshotSource::listener(std::size_t number) const {
  const Listener& listener = listeners_[number];
  ListenerSnapshot snapshot{.address = listener.address,
                            .accepted = accepted(static_cast<ListenerCounts::Listener>(number))};
  const auto socket = listener.socket.lock();
  snapshot.is_open = socket != nullptr;
  snapshot.has_queue = listener.has_queue;
  if (socket != nullptr && listener.has_queue) {
    const sys::AcceptQueue queue = sys::accept_queue(socket->fd.get());
    snapshot.waiting = queue.waiting;
    snapshot.queue_limit = queue.limit;
    snapshot.dropped = queue.dropped - listener.dropped_before;
  }
  return snapshot;
}

bool SnapshotSource::DatagramListener::is_open() const noexcept {
  return std::all_of(sockets.begin(), sockets.end(),
                     [](const sys::DatagramWatch& socket) { return socket.is_open(); });
}

DatagramListenerSnapshot SnapshotSource::snapshot_of(const DatagramListener& listener) {
  DatagramListenerSnapshot snapshot{.address = listener.address, .is_open = listener.is_open()};
  for (const sys::DatagramWatch& socket : listener.sockets) {
    const sys::DatagramQueue queue = socket.queue();
    snapshot.queued_bytes += queue.used_bytes;
    snapshot.dropped += queue.dropped;
  }
  return snapshot;
}

void SnapshotSource::add_removed_listeners(Snapshot& snapshot) const {
  const auto open = [this](std::size_t worker) {
    return workers_.at(worker).listener_counts().open(ListenerCounts::kRemoved);
  };
  std::vector<std::uint64_t> connections;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    connections.push_back(open(i));
  }
  if (std::all_of(connections.begin(), connections.end(),
                  [](std::uint64_t count) { return count == 0; })) {
    return;
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    snapshot.workers[i].connections.push_back(connections[i]);
  }
  snapshot.listeners.push_back({.address = std::string(kRemovedListeners),
                                .accepted = accepted(ListenerCounts::kRemoved),
                                .is_open = false,
                                .is_removed = true});
}

std::uint64_t SnapshotSource::accepted(ListenerCounts::Listener listener) const noexcept {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    total += workers_.at(i).listener_counts().total(listener);
  }
  return total;
}

WorkerSnapshot SnapshotSource::worker(std::size_t number) const {
  const Worker& worker = workers_.at(number);
  WorkerSnapshot snapshot;
  snapshot.is_stuck = service_.is_stuck(number);
  snapshot.turns = worker.turns();
  snapshot.buffered_bytes = worker.buffered_bytes();
  snapshot.server_delay = worker.server_delay();
  snapshot.stale_events = worker.stale_events();
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    snapshot.connections.push_back(
        worker.listener_counts().open(static_cast<ListenerCounts::Listener>(i)));
  }
  for (std::size_t i = kCounters; i-- > 0;) {
    snapshot.counters[i] = worker.counters().get(static_cast<Counter>(i));
  }
  return snapshot;
}

std::string SnapshotSource::unhealthy_because() const {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (service_.is_stuck(i)) {
      return "worker " + std::to_string(i) + " does not answer";
    }
  }
  return "";
}

bool SnapshotSource::is_any_listener_open() const noexcept {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [](const Listener& listener) { return !listener.socket.expired(); }) ||
         std::any_of(datagrams_.begin(), datagrams_.end(),
                     [](const DatagramListener& listener) { return listener.is_open(); });
}

std::string SnapshotSource::not_ready_because() const {
  if (const Phase phase = service_.phase(); phase != Phase::serving) {
    return std::string(name_of(phase));
  }
  if (!is_any_listener_open()) {
    return "no listener is open";
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!service_.is_stuck(i)) {
      return "";
    }
  }
  return "no worker answers";
}

}  // namespace echod
