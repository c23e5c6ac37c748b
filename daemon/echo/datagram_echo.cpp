#include "echo/datagram_echo.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace echod {

DatagramEcho::DatagramEcho(const Context& context,
                           std::shared_ptr<const sys::DatagramSocket> socket)
    : context_(context),
      socket_(std::move(socket)),
      retry_(context.loop.timers(), [this] { on_retry(); }) {
  const sys::IoResult added = context_.loop.add(*this, socket_->fd.get(), EPOLLIN);
  if (!added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

DatagramEcho::~DatagramEcho() {
  close();
}

void DatagramEcho::drain() noexcept {
  if (is_closed()) {
    return;
  }
  if (socket_->is_passed) {
    close();
    return;
  }
  is_emptying_ = true;
  left_to_empty_ = most_queued(*socket_);
  context_.loop.enqueue(*this);
}

// The service may still have the socket open, and then closing it here would not end its
// registration with epoll.
void DatagramEcho::close() noexcept {
  if (is_closed()) {
    return;
  }
  sys::note_dropped(*socket_);
  retry_.cancel();
  context_.loop.remove(*this);
  context_.loop.forget_descriptor(socket_->fd.get());
  socket_.reset();
}

Turn DatagramEcho::on_turn(std::uint32_t /*events*/) noexcept {
  if (is_closed()) {
    return Turn::wait;
  }
  const EchoSettings& settings = context_.settings;
  std::size_t left = settings.turn_reads;
  std::size_t bytes = 0;
  while (left > 0 && bytes < settings.turn_bytes) {
    const std::size_t most = std::min(left, sys::DatagramBatch::kMost);
    const DatagramRelay::BatchResult batch =
        context_.relay.echo(socket_->fd.get(), most, context_.loop.now());
    if (batch.error != 0) {
      return after_error(batch.error);
    }
    left_to_empty_ -= std::min(left_to_empty_, batch.received);
    if (is_emptying_ && (batch.received == 0 || left_to_empty_ == 0)) {
      close();
      return Turn::wait;
    }
    if (batch.received < most && !is_emptying_) {
      if (batch.received > 0 && !retry_.is_running()) {
        retry_.expire_at(context_.loop.now() + kRetryInterval);
      }
      return Turn::wait;
    }
    left -= batch.received;
    bytes += batch.bytes;
  }
  context_.counters.add(Counter::turns_over_budget);
  return Turn::again;
}

Turn DatagramEcho::after_error(int error) noexcept {
  context_.counters.add(Counter::datagram_receive_errors);
  context_.log.datagrams_failed(socket_->address, error, context_.loop.now());
  retry_.expire_at(context_.loop.now() + kRetryInterval);
  return Turn::wait;
}

void DatagramEcho::on_retry() noexcept {
  context_.loop.enqueue(*this);
}

std::size_t most_queued(const sys::DatagramSocket& socket) noexcept {
  constexpr std::size_t kLeastBytes = 512;  // Of the receive buffer, for a datagram of any size.
  const std::uint32_t used_bytes = sys::datagram_queue(socket.fd.get()).used_bytes;
  return std::max(socket.receive_buffer_bytes, used_bytes) / kLeastBytes + 1;
}

}  // namespace echod
