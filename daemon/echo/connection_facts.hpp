// What an operator sees of a connection, as values that leave the worker's thread.
//
// Thread-safety: plain values.
#pragma once

#include <chrono>
#include <cstdint>

#include "config/net/socket_address.hpp"
#include "echo/connection.hpp"

namespace echod {

// Identifies a connection. A later connection at the same index has another `opened_ms`, unless
// both were opened in the same millisecond.
struct ConnectionId {
  std::uint32_t worker = 0;
  std::uint32_t table_index = 0;
  std::uint64_t opened_ms = 0;  // Of the loop's clock.

  bool operator==(const ConnectionId&) const noexcept = default;
};

struct ConnectionFacts {
  ConnectionId id;
  SocketAddress peer;
  std::uint8_t listener = 0;
  Connection::State state = Connection::State::echoing;
  std::chrono::milliseconds age{0};
  std::chrono::milliseconds idle{0};  // Since the last byte in either direction.
  std::uint64_t bytes_received = 0;
  std::uint64_t owed_bytes = 0;  // 0 unless the caller sets it from Connection::owed_bytes().
};

}  // namespace echod
