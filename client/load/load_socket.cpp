#include "client/load/load_socket.hpp"

#include <utility>

#include "client/sys/local_connection.hpp"
#include "sys/stream_socket.hpp"

namespace echod::client {

namespace {

constexpr std::uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
// After these events a short read does not mean that the socket is empty.
constexpr std::uint32_t kReadOnEvents = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

LoadSocket::~LoadSocket() {
  context_.loop.remove(owner_);
}

sys::ConnectResult LoadSocket::open() const noexcept {
  const Endpoint& server = context_.plan.server;
  if (server.is_local()) {
    sys::LocalConnection connection = sys::connect_local(server.path());
    return {.fd = std::move(connection.fd), .error = connection.error};
  }
  const auto& sources = context_.plan.sources;
  return sys::open_connection(
      server.address(),
      sources.empty() ? std::nullopt : std::optional(sources[number_ % sources.size()]));
}

int LoadSocket::connect() noexcept {
  sys::ConnectResult opened = open();
  fd_ = std::move(opened.fd);
  if (!fd_.is_open()) {
    return opened.error;
  }
  is_readable_ = reads_until_eagain_ = false;
  is_writable_ = true;
  if (context_.uses_kernel_timestamps()) {
    sys::stamp_arrivals(fd_.get());
  }
  const sys::IoResult added = context_.loop.add(owner_, fd_.get(), kInterest);
  return added.ok() ? opened.error : added.error();
}

void LoadSocket::on_events(std::uint32_t events) noexcept {
  reads_until_eagain_ = reads_until_eagain_ || (events & kReadOnEvents) != 0;
  is_readable_ = is_readable_ || (events & (EPOLLIN | kReadOnEvents)) != 0;
  is_writable_ = is_writable_ || (events & EPOLLOUT) != 0;
}

sys::IoResult LoadSocket::send(std::span<const std::byte> bytes) noexcept {
  const sys::IoResult sent = sys::send(fd_.get(), bytes);
  is_writable_ = sent.count() == bytes.size();
  return sent;
}

sys::StampedRead LoadSocket::receive(std::span<std::byte> into) noexcept {
  sys::StampedRead read;
  if (context_.uses_kernel_timestamps()) {
    read = sys::receive_stamped(fd_.get(), into, context_.arrival_clock);
  } else {
    read.result = sys::receive(fd_.get(), into);
    read.arrived = read.read = sys::MonotonicClock::now();
  }
  if (read.result.would_block()) {
    is_readable_ = reads_until_eagain_ = false;
  } else {
    // On a UNIX socket a message with descriptors ends a read early (unix(7)).
    is_readable_ = read.result.count() == into.size() || reads_until_eagain_ ||
                   context_.plan.server.is_local();
  }
  return read;
}

void LoadSocket::half_close() noexcept {
  (void)sys::shut_write(fd_.get());  // On failure, recv(2) returns the error.
}

void LoadSocket::close() noexcept {
  context_.loop.remove(owner_);
  record_tcp_figures();
  fd_.reset();
  is_readable_ = is_writable_ = false;
}

void LoadSocket::reset() noexcept {
  if (fd_.is_open()) {
    sys::reset_on_close(fd_.get());
  }
  close();
}

void LoadSocket::record_tcp_figures() noexcept {
  const auto figures = fd_.is_open() ? sys::tcp_figures(fd_.get()) : std::nullopt;
  if (figures) {
    context_.tally.retransmissions += figures->retransmissions;
  }
  if (figures && figures->round_trip > sys::Duration(0)) {
    context_.tally.round_trip.record(figures->round_trip);
  }
}

}  // namespace echod::client
