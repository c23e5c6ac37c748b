// The socket of one TCP or UNIX connection of a load run: connects, sends and receives, and keeps
// what epoll has reported.
//
// The socket is registered once, edge-triggered, for all events, and the registration never
// changes: the kernel raises OUT only after a send that did not fit.
//
// Owns the descriptor and its registration with the event loop. Thread-safety: used only by its
// worker's thread. Never blocks. Errors are results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "client/load/load_context.hpp"
#include "client/sys/client_socket.hpp"
#include "loop/channel.hpp"
#include "sys/unique_fd.hpp"

namespace echod::client {

class LoadSocket {
 public:
  // The turns go to `owner`. `number` chooses one of plan.sources.
  LoadSocket(LoadContext& context, Channel& owner, std::uint32_t number) noexcept
      : context_(context), owner_(owner), number_(number) {}
  ~LoadSocket();
  LoadSocket(const LoadSocket&) = delete;
  LoadSocket& operator=(const LoadSocket&) = delete;

  // Starts to connect. Must be called only while no socket is open. Returns 0 if it is connected,
  // EINPROGRESS if an event will follow, after which connect_error() has the result, otherwise the
  // reason for the failure (ConnectResult::error).
  // EAGAIN on a UNIX socket: the server's accept queue is full.
  [[nodiscard]] int connect() noexcept;
  // The result after EINPROGRESS: 0, an errno or kConnectedToItself.
  [[nodiscard]] int connect_error() const noexcept { return sys::connect_error(fd_.get()); }
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }

  void on_events(std::uint32_t events) noexcept;
  // Whether more may be readable without a new event.
  [[nodiscard]] bool is_readable() const noexcept { return is_readable_; }
  // Whether the last send was complete, so that no OUT will come.
  [[nodiscard]] bool is_writable() const noexcept { return is_writable_; }

  sys::IoResult send(std::span<const std::byte> bytes) noexcept;
  // Has time stamps of the kernel if context.uses_kernel_timestamps(). Otherwise bytes arrive when
  // they are read.
  [[nodiscard]] sys::StampedRead receive(std::span<std::byte> into) noexcept;
  // Sends the FIN. If this fails, receive() returns the error.
  void half_close() noexcept;
  // Adds the kernel's TCP statistics to the tally. No-op if no socket is open.
  void close() noexcept;
  // The same, but by a reset.
  void reset() noexcept;

 private:
  [[nodiscard]] sys::ConnectResult open() const noexcept;
  void record_tcp_figures() noexcept;

  LoadContext& context_;
  Channel& owner_;
  std::uint32_t number_;
  sys::UniqueFd fd_;
  bool is_readable_ = false;
  bool is_writable_ = false;
  bool reads_until_eagain_ = false;  // PRI, RDHUP, HUP or ERR was seen.
};

}  // namespace echod::client
