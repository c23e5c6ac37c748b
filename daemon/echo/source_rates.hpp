// Limits how many datagrams of one source address are echoed in a second (limits.
// datagrams_per_source). A backstop against loops that datagram_guard.hpp cannot see, such as one
// with an echo of another program.
//
// Each source has a token bucket for one second: it may use the datagrams of a second at once. For
// IPv6 a source is a network of 64 bits, because a host can use all addresses of its network. The
// table has a fixed size; sources whose hashes collide share a bucket. The key of the hash is
// random, so that nobody can choose addresses that collide with another's.
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
  // is echoed as a whole, so it may take more tokens than are left; the bucket fills up later then.
  [[nodiscard]] bool admits(const SocketAddress& source, std::size_t datagrams,
                            sys::TimePoint now) noexcept;

  // The number of the bucket of `source`.
  [[nodiscard]] std::size_t bucket_of(const SocketAddress& source) const noexcept;

 private:
  std::array<std::uint64_t, 2> key_;
  std::uint32_t per_second_ = 0;
  // When each bucket will be full again. A second later than now: it is empty now.
  std::vector<sys::TimePoint> full_at_;
};

}  // namespace echod
