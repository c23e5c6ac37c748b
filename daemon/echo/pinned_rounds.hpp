// Limits the kernel memory that spliced bytes pin.
//
// A spliced byte that the peer has not acknowledged may pin a group of 8 pages (32 KiB), which TCP
// does not count. A round has at most 64 slots, so it pins at most 64 groups (2 MiB). Counted are
// the rounds that may pin memory: those of each connection, and those of all workers together.
//
// The kernel tells how many bytes are unacknowledged, but not which. A round has `least_bytes` or
// more. So at most one round for each `least_bytes` is unacknowledged, and one more may be in part.
// A connection that copies again has more unacknowledged bytes, but no more pinned rounds. So only
// a round that is spliced raises its number.
//
// Exceptions: larger groups, and clients on this host (docs/performance.md).
//
// Thread-safety: one for each worker, used by its thread. Only the sum is shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "echo/echo_settings.hpp"

namespace echod {

class PinnedRounds {
 public:
  // `sum`: the rounds of all workers. It must outlive this.
  explicit PinnedRounds(std::atomic<std::size_t>& sum) noexcept : sum_(sum) {}

  // The limits hold for the next add().
  void apply(const SpliceSettings& settings) noexcept { settings_ = settings; }

  // `rounds` is the number of the connection that has this socket.

  // Adds a round that is about to be spliced. Returns false if that would exceed a limit, also
  // after a new count.
  [[nodiscard]] bool add(int socket, std::uint8_t& rounds) noexcept;
  // Undoes add(): the round has spliced nothing.
  void remove(std::uint8_t& rounds) noexcept { set(rounds, rounds - std::size_t{1}); }
  // Counts again, because the peer may have acknowledged bytes. `held`: bytes in its reply.
  void recount(int socket, std::size_t held, std::uint8_t& rounds) noexcept;
  // Counts for the first time, for a connection that an earlier program has spliced.
  void restore(int socket, std::size_t held, std::uint8_t& rounds) noexcept;
  // The connection is closed and pins nothing.
  void clear(std::uint8_t& rounds) noexcept { set(rounds, 0); }

  // Whether this worker has any.
  [[nodiscard]] bool has_any() const noexcept { return own_ > 0; }

 private:
  [[nodiscard]] bool add_within_limits(std::uint8_t& rounds) noexcept;
  // How many rounds may have unacknowledged bytes.
  [[nodiscard]] std::size_t most_of(int socket, std::size_t held) const noexcept;
  void set(std::uint8_t& rounds, std::size_t value) noexcept;

  SpliceSettings settings_;
  std::atomic<std::size_t>& sum_;
  std::size_t own_ = 0;
};

}  // namespace echod
