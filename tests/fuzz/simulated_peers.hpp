// The kernel's side of some connections, when an input decides what happens: what arrives and when,
// what each recv and send gives, which calls fail. It answers for a ScriptedKernel, raises events
// as edge-triggered epoll does, and requires of each call what an echo owes: bytes go out in the
// order in which they came in, once, and none is given up without a cause.
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

// Positions are counted in bytes from the start of the connection.
struct SimulatedPeer {
  int fd = -1;
  std::uint32_t mask = 0;  // What its socket is registered for.

  std::uint64_t arrived = 0;            // End of what the peer sent.
  std::uint64_t read = 0;               // End of what left the receive queue.
  std::uint64_t seen = 0;               // End of what was given to the daemon; peeked at, maybe.
  std::optional<std::uint64_t> urgent;  // Where the last urgent byte is; a read stops there.
  bool has_fin = false;                 // The peer sends no more.
  bool is_fin_read = false;

  std::uint64_t sent = 0;          // End of what the daemon sent.
  std::uint64_t acknowledged = 0;  // Its FIN counts as a byte.
  std::uint64_t room = 64;         // Bytes that the kernel takes now.
  bool wants_room = false;         // A send did not fit: OUT is owed.
  bool is_shut = false;            // The daemon sends no more.

  bool is_raised = false;  // On epoll's list.
  bool is_broken = false;  // A call failed, or will: nothing more is owed.
  int error = 0;           // What the next call fails with.
  bool is_draining = false;
  std::uint64_t owed_when_drained = 0;  // End of what had arrived when the daemon was told to stop.
  bool is_closed = false;
};

class SimulatedPeers {
 public:
  // Borrows all three.
  SimulatedPeers(ScriptedKernel& kernel, FuzzInput& input, const Counters& counters);
  ~SimulatedPeers() { kernel_.improvise({}); }
  SimulatedPeers(const SimulatedPeers&) = delete;
  SimulatedPeers& operator=(const SimulatedPeers&) = delete;

  // What peers do. `add` returns the descriptor; the connection begins with so many bytes.
  int add(std::size_t bytes);
  void arrive(SimulatedPeer& peer, std::size_t bytes);
  void arrive_urgent(SimulatedPeer& peer);
  void finish(SimulatedPeer& peer);
  void make_room(SimulatedPeer& peer, std::size_t bytes);
  void acknowledge(SimulatedPeer& peer, std::uint64_t bytes);
  void fail(SimulatedPeer& peer, int error);
  // An event that nothing has changed for.
  void raise(SimulatedPeer& peer);
  // The daemon is told to stop.
  void drain();
  // And to do that at once.
  void allow_abort() { may_abort_ = true; }

  [[nodiscard]] std::deque<SimulatedPeer>& all() noexcept { return peers_; }
  [[nodiscard]] std::size_t open() const noexcept;
  [[nodiscard]] bool is_any_raised() const noexcept;
  // Whether the loop waited, the last time, for what did not come.
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
