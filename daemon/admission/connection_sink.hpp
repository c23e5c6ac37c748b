// Takes over the connections that an acceptor accepts.
// Thread-safety: belongs to one worker's thread. Never blocks.
#pragma once

#include <cstdint>

#include "sys/listen_socket.hpp"

namespace echod {

class ConnectionSink {
 public:
  ConnectionSink() noexcept = default;
  ConnectionSink(const ConnectionSink&) = delete;
  ConnectionSink& operator=(const ConnectionSink&) = delete;
  virtual ~ConnectionSink() = default;

  // Reserves the memory that the next adopt() needs; false if there is none.
  [[nodiscard]] virtual bool reserve() noexcept = 0;
  // Starts to serve the connection, which is already counted against limits.max_connections. Must
  // follow a reserve() that returned true. `listener` is the number of the listener: the first that
  // was added to the acceptor is 0.
  virtual void adopt(sys::Accepted accepted, std::uint8_t listener) noexcept = 0;
};

}  // namespace echod
