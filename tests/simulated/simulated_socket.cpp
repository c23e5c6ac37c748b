#include "simulated_socket.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace echod::test {

bool SimulatedSocket::can_send() const noexcept {
  return !has_fin_ && !is_reset_ && unread() < limits_.receive_bytes;
}

bool SimulatedSocket::can_take() const noexcept {
  return !is_reset_ && unacknowledged() > 0;
}

std::uint32_t SimulatedSocket::client_sends(bool is_urgent) noexcept {
  if (is_urgent) {
    mark_ = sent_;  // There is one mark at a time: a new one replaces the old one.
  }
  ++sent_;
  return EPOLLIN | EPOLLPRI;  // sock_def_readable() wakes with both, for any byte.
}

std::uint32_t SimulatedSocket::client_finishes() noexcept {
  has_fin_ = true;
  return kEverything;
}

std::uint32_t SimulatedSocket::client_resets() noexcept {
  error_ = has_fin_ && !is_shut_ && !limits_.is_local ? EPIPE : ECONNRESET;
  is_reset_ = true;
  return kEverything;
}

std::uint32_t SimulatedSocket::client_takes() noexcept {
  if (untaken() == 0) {
    is_fin_taken_ = true;
    return limits_.is_local ? kNothing : kEverything;
  }
  ++taken_;
  if ((wants_room_ || limits_.is_local) && is_writable()) {
    wants_room_ = false;
    return EPOLLOUT;
  }
  return kNothing;
}

// As sk_stream_is_writeable(): the free space is at least half of what is queued; or as
// unix_writable(). send(2) takes bytes with less free space too.
bool SimulatedSocket::is_writable() const noexcept {
  if (limits_.is_local) {
    return 4 * untaken() <= limits_.send_bytes;
  }
  return 2 * (limits_.send_bytes - untaken()) >= untaken();
}

std::int64_t SimulatedSocket::nothing_to_read() noexcept {
  if (has_fin_ && !(limits_.is_local && error_ != 0)) {
    return 0;
  }
  if (error_ != 0) {
    return -std::exchange(error_, 0);
  }
  return is_reset_ ? 0 : -EAGAIN;
}

std::int64_t SimulatedSocket::readable(std::size_t most) noexcept {
  if (unread() == 0) {
    return nothing_to_read();
  }
  auto bytes = std::min<std::int64_t>(unread(), static_cast<std::int64_t>(most));
  if (limits_.is_local) {
    return std::min<std::int64_t>(bytes, has_descriptor(read_) ? 1 : 2);
  }
  if (mark_ && *mark_ > read_) {
    bytes = std::min(bytes, static_cast<std::int64_t>(*mark_ - read_));
  }
  return bytes;
}

void SimulatedSocket::read_past(std::int64_t bytes) noexcept {
  read_ += static_cast<std::uint64_t>(bytes);
  if (mark_ && *mark_ < read_) {
    mark_.reset();
  }
}

std::int64_t SimulatedSocket::receive(std::span<std::byte> into, bool is_peek) noexcept {
  const std::int64_t bytes = readable(into.size());
  for (std::int64_t i = 0; i < bytes; ++i) {
    into[static_cast<std::size_t>(i)] = byte_at(read_ + static_cast<std::uint64_t>(i));
  }
  stopped_at_descriptor_ =
      bytes > 0 && has_descriptor(read_ + static_cast<std::uint64_t>(bytes) - 1);
  if (bytes > 0 && !is_peek) {
    read_past(bytes);
  }
  return bytes;
}

std::int64_t SimulatedSocket::remove(std::size_t most) noexcept {
  const std::int64_t removed = readable(most);
  if (removed > 0) {
    read_past(removed);
  }
  return removed;
}

std::int64_t SimulatedSocket::discard(std::span<std::byte> scratch) noexcept {
  if (limits_.is_local) {
    return scratch.data() == nullptr ? -EFAULT : receive(scratch, false);
  }
  return remove(scratch.size());
}

std::int64_t SimulatedSocket::splice(std::size_t most) noexcept {
  if (mark_ && *mark_ == read_) {
    return nothing_to_read();
  }
  return remove(most);
}

std::int64_t SimulatedSocket::send(std::size_t bytes, std::size_t most) noexcept {
  if (error_ != 0 && !limits_.is_local) {
    return -std::exchange(error_, 0);
  }
  if (is_shut_ || is_reset_) {
    return -EPIPE;
  }
  const auto taken = std::min<std::size_t>({bytes, most, limits_.send_bytes - untaken()});
  if (taken < bytes) {
    wants_room_ = true;
  }
  written_ += taken;
  return taken > 0 ? static_cast<std::int64_t>(taken) : -EAGAIN;
}

std::int64_t SimulatedSocket::shut_write(std::uint32_t& wakes) noexcept {
  wakes = kEverything;
  if (!limits_.is_local && (is_reset_ || is_over_both_ways())) {
    return -ENOTCONN;
  }
  is_shut_ = true;
  return 0;
}

int SimulatedSocket::take_error() noexcept {
  return std::exchange(error_, 0);
}

std::uint32_t SimulatedSocket::poll() noexcept {
  std::uint32_t events = 0;
  if (is_reset_ || (has_fin_ && is_shut_)) {
    events |= EPOLLHUP;
  }
  if (is_reset_ || has_fin_) {
    events |= EPOLLIN | EPOLLRDHUP;
  }
  if (unread() > 0) {
    events |= EPOLLIN;
  }
  if (is_reset_ || is_shut_ || is_writable()) {
    events |= EPOLLOUT;
  } else {
    wants_room_ = true;
  }
  if (mark_) {
    events |= EPOLLPRI;
  }
  if (error_ != 0) {
    events |= EPOLLERR;
  }
  return events;
}

void SimulatedSocket::describe(Fingerprint& into) const noexcept {
  into.add(unread());
  into.add(untaken());
  // The difference is negative while bytes are peeked at; it wraps, but is still unique. After the
  // daemon's FIN nothing is owed, and any number of bytes may be discarded.
  into.add(is_shut_ ? 0 : read_ - written_);
  into.add(mark_ ? *mark_ - read_ + 1 : 0);
  into.add(static_cast<std::uint64_t>(error_));
  std::uint64_t flags = 0;
  for (const bool flag : {has_fin_, is_shut_, is_fin_taken_, is_reset_, wants_room_}) {
    flags = 2 * flags + (flag ? 1 : 0);
  }
  into.add(flags);
}

}  // namespace echod::test
