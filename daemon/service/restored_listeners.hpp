// Describes the listening sockets for the program that replaces this one, and restores them there.
// A listener that is still configured stays open, so that no client is refused.
//
// Thread-safety: functions without shared state; must be called from the main thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "echo/workers.hpp"
#include "service/restored_workers.hpp"
#include "sys/listen_socket.hpp"
#include "sys/local_listener.hpp"
#include "upgrade/state.hpp"

namespace echod {

// Returns for each of `wanted` the index of the open listener with the same address or path;
// nothing if there is none. No open listener is returned twice.
[[nodiscard]] std::vector<std::optional<std::size_t>> matches_of(
    const std::vector<ListenConfig>& wanted, const std::vector<ListenerState>& open);

// Describes `listeners`, which serve the entries of `config` for TCP and UNIX sockets in the same
// order. `paths` are those of the UNIX sockets, except for passed ones.
[[nodiscard]] std::vector<ListenerState> states_of(
    const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
    const std::vector<sys::LocalListener>& paths, const Config& config);

// The open listeners that `config` does not have; of the sockets of a UDP listener only the first.
[[nodiscard]] std::vector<ListenerState> leaving_listeners(
    const Config& config, const std::vector<ListenerState>& states);

// Throws the std::system_error with which `wanted` could not be opened now. Ignores that its port
// is in use if one of `leaving` has that port: those will be closed first.
void require_bindable(const ListenConfig& wanted, const std::vector<ListenerState>& leaving);

// Throws StartupError if a [[listen]] of `config` is not open yet and cannot be opened. `states`
// are the open listeners; those that `config` does not have will be closed first. With socket
// activation, `config` and `states` must have the same listeners.
void require_listenable(const Config& config, const std::vector<ListenerState>& states);

struct RestoredListener {
  sys::ListenSocket socket;
  sys::LocalListener path;  // Of a UNIX socket, without the socket; else empty.
  std::string trouble;      // Which options could not be set, and why; "" if all were set.
};

// Takes over the listener `open`, and sets the backlog and options that are wanted, or the mode and
// owner of the path. If one of them cannot be set, the listener keeps its old values. Throws
// std::system_error if it is no listener.
[[nodiscard]] RestoredListener restore_listener(const ListenerState& open,
                                                const ListenConfig& wanted,
                                                const SocketOptions& options);

// Accepts the clients that wait at a listener that is not configured any more, for the workers in
// turn, and closes it. A path is removed before. A socket that the service manager has open too is
// only closed. Each connection uses one of the `free_descriptors`. Returns 0, or the errno with
// which accept4(2) failed: the clients that still waited are reset. Throws std::bad_alloc.
[[nodiscard]] int empty_and_close(const ListenerState& open, Workers& workers,
                                  std::uint64_t& free_descriptors);

// How the path of `wanted` is opened.
[[nodiscard]] sys::LocalListenerOptions local_options(const ListenConfig& wanted);

}  // namespace echod
