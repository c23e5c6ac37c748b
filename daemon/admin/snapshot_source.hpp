// Takes snapshots of the daemon, and decides whether it is healthy and ready.
//
// Thread-safety: the admin thread. Never waits for a worker; ServiceAccess::log() may block.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "admin/service_access.hpp"
#include "admin/snapshot.hpp"
#include "echo/workers.hpp"
#include "sys/listen_socket.hpp"
#include "telemetry/listener_counts.hpp"

namespace echod {

class SnapshotSource {
 public:
  // `listeners` are numbered as the workers number them; `datagrams` are the UDP listeners. The
  // sockets are not kept open. The references must outlive it. Throws std::bad_alloc.
  SnapshotSource(Workers& workers, ServiceAccess& service,
                 const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
                 const std::vector<DatagramSockets>& datagrams);

  // Throws std::bad_alloc.
  [[nodiscard]] Snapshot take() const;
  // The same without the number of open files, whose cost grows with it on some kernels.
  [[nodiscard]] Snapshot take_without_open_files() const;

  // Why the process should be restarted: a worker is stuck. Empty if it should not, also during a
  // drain. Throws std::bad_alloc.
  [[nodiscard]] std::string unhealthy_because() const;
  // Why no new clients should be sent here: the daemon is starting or draining, no worker answers,
  // or no listener is open. Empty if it is ready. Throws std::bad_alloc.
  [[nodiscard]] std::string not_ready_because() const;

 private:
  struct Listener {
    std::string address;
    std::weak_ptr<const sys::ListenSocket> socket;
    std::uint32_t dropped_before = 0;  // By a passed socket, before this process had it.
    bool has_queue = true;
  };

  struct DatagramListener {
    std::string address;
    std::vector<sys::DatagramWatch> sockets;

    // Whether all of its sockets are open.
    [[nodiscard]] bool is_open() const noexcept;
  };

  [[nodiscard]] ListenerSnapshot listener(std::size_t number) const;
  [[nodiscard]] static DatagramListenerSnapshot snapshot_of(const DatagramListener& listener);
  [[nodiscard]] bool is_any_listener_open() const noexcept;
  void add_removed_listeners(Snapshot& snapshot) const;
  [[nodiscard]] std::uint64_t accepted(ListenerCounts::Listener listener) const noexcept;
  [[nodiscard]] WorkerSnapshot worker(std::size_t number) const;

  Workers& workers_;
  ServiceAccess& service_;
  std::vector<Listener> listeners_;
  std::vector<DatagramListener> datagrams_;
};

}  // namespace echod
