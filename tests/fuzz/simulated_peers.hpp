// The kernel's side of some connections. The input decides what arrives and when, what each recv
// and send returns, and which calls fail. It makes the results for a ScriptedKernel and raises
// events as edge-triggered epoll does. It requires that bytes are sent in the order in which they
// came, and once, and that no connection is closed without a reason.
//
// Thread-safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "fuzz_target.hpp"
#include "scripted_syscalls.hpp"
#include "telemetry/counters.hpp"

namespace echod::test {

// Positions are in bytes from the start of the connection.
struct SimulatedPeer {
  int fd = -1;
  std::uint32_t mask = 0;  // The events that its socket is registered for.

  std::uint64_t arrived = 0;            // End of what the peer sent.
  std::uint64_t read = 0;               // End of what left the receive queue.
  std::uint64_t seen = 0;               // End of what the daemon has read or peeked at.
  std::optional<std::uint64_t> urgent;  // The position of the last urgent byte; a read stops there.
  bool has_fin = false;                 // The peer sends no more.
  bool is_fin_read = false;

  std::uint64_t sent = 0;          // End of what the daemon sent.
  std::uint64_t acknowledged = 0;  // End of what the peer acknowledged; the FIN counts as a byte.
  std::uint64_t room = 64;         // Bytes that the next send takes.
  bool wants_room = false;         // A send did not fit: the next space raises EPOLLOUT.
  bool is_shut = false;            // The daemon sends no more.

  bool is_raised = false;  // In epoll's list of ready descriptors.
  bool is_broken = false;  // A call has failed, or will fail: nothing is owed any more.
  int error = 0;           // The errno of the next call.
  bool is_draining = false;
  std::uint64_t owed_when_drained = 0;  // End of what had arrived when the daemon was told to stop.
  bool is_closed = false;
};

class SimulatedPeers {
 public:
  // Keeps references to all three.
  SimulatedPeers(ScriptedKernel& kernel, FuzzInput& input, const Counters& counters);
  ~SimulatedPeers() { kernel_.improvise({}); }
  SimulatedPeers(const SimulatedPeers&) = delete;
  SimulatedPeers& operator=(const SimulatedPeers&) = delete;

  // Actions of the peers. `add` makes a connection with `bytes` bytes to read; returns its
  // descriptor.
  int add(std::size_t bytes);
  void arrive(SimulatedPeer& peer, std::size_t bytes);
  void arrive_urgent(SimulatedPeer& peer);
  void finish(SimulatedPeer& peer);
  void make_room(SimulatedPeer& peer, std::size_t bytes);
  void acknowledge(SimulatedPeer& peer, std::uint64_t bytes);
  void fail(SimulatedPeer& peer, int error);
  // Raises the current events again, although nothing has changed.
  void raise(SimulatedPeer& peer);
  // From now on the daemon drains.
  void drain();
  // From now on the daemon may abort connections.
  void allow_abort() { may_abort_ = true; }

  [[nodiscard]] std::deque<SimulatedPeer>& all() noexcept { return peers_; }
  [[nodiscard]] std::size_t open() const noexcept;
  [[nodiscard]] bool is_any_raised() const noexcept;
  // Whether the last epoll_wait had no events and would have blocked.
  [[nodiscard]] bool is_at_rest() const noexcept { return is_at_rest_; }

 private:
  [[nodiscard]] std::optional<Step> answer(const MadeCall& made);
  [[nodiscard]] Step receive(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step splice_in(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] std::size_t give(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step send(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step shut(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step close(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step register_mask(SimulatedPeer& peer, const MadeCall& made);
  [[nodiscard]] Step wait(const MadeCall& made);
  void check_end(const SimulatedPeer& peer, CloseReason reason) const;
  [[nodiscard]] CloseReason last_reason();
  [[nodiscard]] SimulatedPeer* find(int fd) noexcept;
  void tell_kernel(const SimulatedPeer& peer);

  ScriptedKernel& kernel_;
  FuzzInput& input_;
  const Counters& counters_;
  std::deque<SimulatedPeer> peers_;
  std::array<std::uint64_t, kCloseReasons> closed_{};
  bool is_draining_ = false;
  bool may_abort_ = false;
  bool is_at_rest_ = false;
};

}  // namespace echod::test
