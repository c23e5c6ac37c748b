// Limits how many datagrams of one source are echoed in a second: limits.datagrams_per_source. A
// backstop against loops that datagram_guard.hpp cannot see, such as one with an echo service of
// another program.
//
// Each source has a token bucket that holds the tokens of one second. So a source may send the
// datagrams of a second in one burst. For IPv6 a source is a network of 64 bits, because a host can
// use all addresses of its network. The table has a fixed size; sources whose hashes collide share
// a bucket. The key of the hash is random, so that a sender cannot choose addresses that share the
// bucket of another source.
//
// Thread-safety: none; each worker has its own. Never blocks. Only the constructor allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "config/net/socket_address.hpp"
#include "sys/clock.hpp"

namespace echod {

class SourceRates {
 public:
  static constexpr std::size_t kBuckets = 4096;

  // Throws std::bad_alloc.
  SourceRates();
  // For tests: with this key.
  explicit SourceRates(std::array<std::uint64_t, 2> key);

  // 0: no limit.
  void set_per_second(std::uint32_t datagrams) noexcept { per_second_ = datagrams; }

  // Takes tokens for `datagrams` of one train and returns true, unless the bucket is empty. A train
  // is echoed as a whole, so it may take more tokens than are left; its source then waits longer.
  [[nodiscard]] bool take_tokens(const SocketAddress& source, std::size_t datagrams,
                                 sys::TimePoint now) noexcept;

  // The number of the bucket of `source`.
  [[nodiscard]] std::size_t bucket_of(const SocketAddress& source) const noexcept;

 private:
  std::array<std::uint64_t, 2> key_;
  std::uint32_t per_second_ = 0;
  // The time at which each bucket is full again. If it is a second or more from now, the bucket is
  // empty.
  std::vector<sys::TimePoint> full_at_;
};

}  // namespace echod
