// The values of a parked connection. The program that replaces this one makes the connection again
// from them (docs/upgrade.md).
//
// The descriptors are borrowed: the parked connection owns them, until a new program takes over.
//
// Thread-safety: a value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "config/net/socket_address.hpp"

namespace echod {

struct ParkedConnection {
  // The states of connection.hpp that can be parked. A connection that lingers is draining, and
  // echod does not park while it drains.
  enum class State : std::uint8_t { echoing, flushing, delivering };

  std::uint32_t worker = 0;  // Number of the worker that served it.
  std::uint8_t listener = 0;
  int fd = -1;
  SocketAddress peer;
  State state = State::echoing;
  std::uint64_t bytes_received = 0;
  // Times of CLOCK_MONOTONIC.
  std::chrono::milliseconds opened{0};
  std::chrono::milliseconds progress{0};  // Of the last progress (progress.hpp).
  // What the peer had not acknowledged when the kernel was last asked; UINT32_MAX: not asked since
  // bytes were sent.
  std::uint32_t unacknowledged = 0;
  bool pins_memory = false;  // Spliced bytes may be unacknowledged (relay.hpp).

  // The owed bytes of a flushing connection: in memory, or in a pipe.
  std::span<const std::byte> owed{};
  // The same bytes as `owed`, if their memory may be given back to the kernel once they are written
  // to the state; else empty.
  std::span<std::byte> own_memory{};
  int pipe_read_end = -1;  // -1: no pipe.
  int pipe_write_end = -1;
  std::uint64_t pipe_bytes = 0;
};

}  // namespace echod
