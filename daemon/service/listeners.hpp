// The sockets of echod. A [[listen]] for TCP or with a path has one listening socket, which the
// workers share. A [[listen]] for UDP has a socket for each worker, or a single one if it was
// passed.
//
// Thread-safety: belongs to the main thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "echo/workers.hpp"
#include "service/datagram_listeners.hpp"
#include "service/passed_sockets.hpp"
#include "service/restored_workers.hpp"
#include "sys/datagram_socket.hpp"
#include "sys/listen_socket.hpp"
#include "sys/local_listener.hpp"
#include "upgrade/state.hpp"

namespace spdlog {
class logger;
}

namespace echod {

class Listeners {
 public:
  // `workers` must outlive it.
  explicit Listeners(Workers& workers) noexcept : workers_(workers) {}

  // Opens the sockets, or adopts the `passed` ones if there are any. Call it before the workers
  // start. Throws StartupError, std::bad_alloc.
  void open(std::vector<PassedSocket> passed, const Config& config);
  // Takes over those of an earlier program that are configured, opens the others, and closes the
  // rest. A [[listen]] that cannot be opened is logged and removed from `config`: the clients of
  // the others must be served. Clients that wait at a closed one may use `free_descriptors`.
  // Returns the numbers that the listeners of the earlier program have now. Call it before the
  // workers start. Throws std::bad_alloc.
  [[nodiscard]] ListenerNumbers restore(const std::vector<ListenerState>& earlier, Config& config,
                                        std::uint64_t free_descriptors, spdlog::logger& log);
  // Describes the sockets, for the program that replaces this one. `config` is the one in force.
  [[nodiscard]] std::vector<ListenerState> states(const Config& config) const;
  // Gives the sockets up. The workers close each when its queue is empty. Paths are removed at
  // once, so that no client connects meanwhile.
  void release() noexcept {
    paths_.clear();
    sockets_.clear();
    datagrams_.clear();
  }

  // The listening sockets, in the order of the configuration.
  [[nodiscard]] const std::vector<std::shared_ptr<const sys::ListenSocket>>& sockets()
      const noexcept {
    return sockets_;
  }
  // The sockets of each UDP listener, in the order of the configuration.
  [[nodiscard]] const std::vector<DatagramSockets>& datagrams() const noexcept {
    return datagrams_;
  }
  // Datagrams that the kernel dropped at these listeners, also at those that were given up.
  [[nodiscard]] std::uint64_t dropped_datagrams() const noexcept;
  void announce(const Config& config, spdlog::logger& log) const;

 private:
  void open(const ListenConfig& wanted, const SocketOptions& options);
  void restore_group(const ListenerGroup& open, const ListenConfig& wanted,
                     const SocketOptions& options, spdlog::logger& log);
  void close_unmatched(const std::vector<ListenerGroup>& groups,
                       const std::vector<std::optional<std::size_t>>& matches,
                       std::uint64_t free_descriptors, spdlog::logger& log);
  void announce_streams(const std::vector<ListenConfig>& wanted, spdlog::logger& log) const;
  void announce_udp(const sys::DatagramBuffers& wanted, spdlog::logger& log) const;
  void add(sys::ListenSocket socket, sys::LocalListener path = {});
  void add(DatagramSockets sockets);

  Workers& workers_;
  std::vector<std::shared_ptr<const sys::ListenSocket>> sockets_;
  std::vector<sys::LocalListener> paths_;  // Without their sockets, which are in sockets_.
  std::vector<DatagramSockets> datagrams_;
  std::vector<sys::DatagramWatch> watches_;  // Of all UDP sockets.
};

}  // namespace echod
