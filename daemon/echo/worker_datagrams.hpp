// The UDP sockets of one worker, and what they share: the slots for datagrams (1 MiB) and the rates
// of sources. The shared memory is allocated with the first socket.
//
// Thread-safety: call add() and echo_queued() before the worker's thread starts; then the members
// belong to that thread. Never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "echo/datagram_echo.hpp"
#include "echo/datagram_relay.hpp"
#include "echo/echo_context.hpp"
#include "sys/clock.hpp"
#include "sys/datagram_socket.hpp"

namespace echod {

class WorkerDatagrams {
 public:
  // The references must outlive it. For `own_ports` see DatagramRelay.
  WorkerDatagrams(EchoContext& context, const std::vector<std::uint16_t>& own_ports) noexcept
      : context_(context), own_ports_(own_ports) {}

  // Serves the socket. Throws std::system_error, std::bad_alloc.
  void add(std::shared_ptr<const sys::DatagramSocket> socket);
  // Takes the last add() back.
  void remove_last() noexcept { sockets_.pop_back(); }
  // Echoes what is in the queue of a socket that is not served any more. Returns false if the
  // deadline came first. Throws std::bad_alloc.
  [[nodiscard]] bool echo_queued(const sys::DatagramSocket& socket, sys::TimePoint deadline);

  // The settings of the context have changed.
  void apply() noexcept;
  // As for one socket (datagram_echo.hpp).
  void drain() noexcept;
  void close() noexcept;
  [[nodiscard]] bool are_closed() const noexcept;

 private:
  [[nodiscard]] DatagramRelay& relay();

  EchoContext& context_;
  const std::vector<std::uint16_t>& own_ports_;
  std::unique_ptr<DatagramRelay> relay_;  // nullptr: there was no socket yet.
  std::vector<std::unique_ptr<DatagramEcho>> sockets_;
};

}  // namespace echod
