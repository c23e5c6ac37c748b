#include "client/load/datagram_flow.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "client/text/figures.hpp"
#include "sys/stream_socket.hpp"

namespace echod::client {

namespace {

constexpr std::uint32_t kDatagramInterest = EPOLLIN | EPOLLOUT;
// The kernel limits it to net.core.rmem_max. What is dropped then is counted (dropped_here).
constexpr int kReceiveBufferOfFlow = 4 << 20;
// The most datagrams that one turn reads. A turn sends as many, and the rest of the last burst.
constexpr std::uint32_t kTurnDatagrams = 64;

bool is_refused_train(int error) noexcept {
  // The path has a smaller MTU, or the device cannot compute checksums (udp(7)).
  return error == EINVAL || error == EMSGSIZE || error == EIO;
}

}  // namespace

DatagramFlow::DatagramFlow(LoadContext& context, std::uint32_t number, std::uint32_t slot)
    : context_(context), number_(number), messages_(context, number, slot < context.active) {}

DatagramFlow::~DatagramFlow() {
  context_.loop.remove(stray_watch_);
  context_.loop.remove(*this);
}

// Opening and closing.

void DatagramFlow::open() noexcept {
  const SocketAddress& server = context_.plan.server.address();
  const auto& sources = context_.plan.sources;
  const SocketAddress local =
      sources.empty() ? sys::any_local_address(server) : sources[number_ % sources.size()];
  if (const int error = socket_.open(server, local, kReceiveBufferOfFlow); error != 0) {
    fail_to_open(error);
    return;
  }
  sys::stamp_arrivals(socket_.fd());
  const bool wants_trains = context_.plan.burst > 1;
  sends_trains_ = wants_trains && socket_.set_segment(context_.plan.sizes.largest);
  if (sends_trains_) {
    socket_.accept_trains();
  }
  state_ = State::open;
  ++context_.tally.connected;
  is_writable_ = true;
  sys::IoResult added = context_.loop.add(*this, socket_.fd(), kDatagramInterest);
  if (added.ok()) {
    added = context_.loop.add(stray_watch_, socket_.stray_fd(), EPOLLIN);
  }
  if (!added.ok()) {
    close();
    fail_to_open(added.error());
  }
}

void DatagramFlow::fail_to_open(int error) noexcept {
  if (error == EADDRNOTAVAIL || error == EADDRINUSE) {
    count_error(LoadError::no_local_port,
                "all local ports are in use: give more addresses with --source");
  } else {
    count_error(LoadError::connect_failed, "cannot be opened: " + errno_text(error));
  }
}

void DatagramFlow::close() noexcept {
  context_.tally.datagrams.dropped_here += socket_.dropped();
  context_.loop.remove(stray_watch_);
  context_.loop.remove(*this);
  socket_.close();
  --context_.tally.connected;
  context_.half_closed -= state_ == State::lingering ? 1U : 0U;
  is_readable_ = is_writable_ = false;
  state_ = State::closed;
}

void DatagramFlow::linger_if_done() noexcept {
  if (state_ == State::open && messages_.are_done()) {
    state_ = State::lingering;
    ++context_.half_closed;
    lingers_until_ = context_.loop.now() + kLingerTime;
  }
}

// Sending.

void DatagramFlow::start() noexcept {
  messages_.start();
  if (!context_.is_open_loop()) {
    send_datagrams();
  }
}

void DatagramFlow::message_due(sys::TimePoint due) noexcept {
  messages_.add_due(due);
  send_datagrams();
}

void DatagramFlow::send_datagrams() noexcept {
  for (std::uint32_t sent = 0; sent < kTurnDatagrams;) {
    const bool may_send = state_ == State::open && is_writable_;
    const std::uint32_t count = may_send ? messages_.next_count() : 0;
    if (count == 0 || !send(count)) {
      linger_if_done();
      return;
    }
    sent += count;
  }
  context_.loop.enqueue(*this);  // Other sockets get their turns first. No event would come.
}

bool DatagramFlow::send(std::uint32_t count) noexcept {
  if (count > 1 && sends_trains_) {
    if (send_train(count)) {
      return true;
    }
    if (sends_trains_) {
      return false;  // The socket is full. Try again when it is writable.
    }
  }
  context_.tally.datagrams.split_bursts += count > 1 ? 1U : 0U;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!send_one()) {
      return i > 0;
    }
  }
  return true;
}

// Clears sends_trains_ if trains cannot be sent to this server.
bool DatagramFlow::send_train(std::uint32_t count) noexcept {
  const int error = transmit(count);
  if (is_refused_train(error)) {
    sends_trains_ = !socket_.set_segment(0);
  } else if (error != 0 && error != EAGAIN) {
    count_network_error("send", error);
  }
  return error == 0;
}

bool DatagramFlow::send_one() noexcept {
  const int error = transmit(1);
  if (error == 0 || error == EAGAIN) {
    return error == 0;
  }
  count_network_error("send", error);
  if (!context_.is_open_loop()) {
    return false;  // check_timeouts() tries again.
  }
  messages_.give_up_due();
  return true;
}

// Sends the next `count` datagrams in one call. Returns 0 or an errno.
//
// Instead of sending, the kernel may report that an earlier datagram was refused. Then this tries
// once more.
int DatagramFlow::transmit(std::uint32_t count) noexcept {
  const std::span<const std::byte> bytes = messages_.fill_next(context_.send_buffer, count);
  const sys::TimePoint begun = sys::MonotonicClock::now();
  sys::IoResult sent = sys::send(socket_.fd(), bytes);
  if (sent.error() == ECONNREFUSED) {
    count_network_error("send", sent.error());
    sent = sys::send(socket_.fd(), bytes);
  }
  is_writable_ = !sent.would_block();
  if (!sent.ok()) {
    return sent.error();
  }
  messages_.on_sent(count, begun);
  return 0;
}

// Receiving.

Turn DatagramFlow::on_turn(std::uint32_t events) noexcept {
  is_readable_ = is_readable_ || (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
  is_writable_ = is_writable_ || (events & EPOLLOUT) != 0;
  if (state_ == State::closed) {
    return Turn::wait;
  }
  read();
  send_datagrams();
  return is_readable_ ? Turn::again : Turn::wait;
}

void DatagramFlow::read() noexcept {
  for (std::uint32_t i = 0; i < kTurnDatagrams && is_readable_; ++i) {
    const std::span<std::byte> buffer(context_.receive_buffer);
    const sys::StampedRead read =
        sys::receive_stamped(socket_.fd(), buffer, context_.arrival_clock);
    if (read.result.would_block()) {
      is_readable_ = false;
    } else if (!read.result.ok()) {
      count_network_error("recv", read.result.error());
    } else {
      last_arrival_ = read.arrived;
      context_.silence.on_arrival(read.arrived);
      handle_datagrams(buffer.first(read.result.count()), read);
    }
  }
}

// Cuts a train. A datagram of 0 bytes is handled too.
void DatagramFlow::handle_datagrams(std::span<const std::byte> bytes,
                                    const sys::StampedRead& read) noexcept {
  const std::size_t most = read.segment_bytes == 0 ? bytes.size() : read.segment_bytes;
  do {
    const std::size_t length = std::min(most, bytes.size());
    handle_datagram(bytes.first(length), read);
    bytes = bytes.subspan(length);
  } while (!bytes.empty());
}

Turn DatagramFlow::read_strays() noexcept {
  for (std::uint32_t i = 0; i < kTurnDatagrams; ++i) {
    const sys::Stray stray = socket_.receive_stray(context_.receive_buffer);
    if (!stray.result.ok()) {
      return Turn::wait;
    }
    count_error(LoadError::unsolicited, bytes_text(stray.result.count()) + " from " +
                                            stray.sender.text() + ", to which nothing was sent");
  }
  return Turn::again;
}

void DatagramFlow::handle_datagram(std::span<const std::byte> bytes,
                                   const sys::StampedRead& read) noexcept {
  if (const auto wrong = messages_.on_received(bytes, read)) {
    count_error(wrong->error, wrong->what);
  }
  linger_if_done();
}

// The end, and failures.

// An answer that arrived in time may still be in the receive queue, so this reads first. If the
// queue is not empty afterwards, it may hold answers that arrived at last_arrival_ or later. Then
// only those datagrams are given up whose timeout had ended before last_arrival_.
void DatagramFlow::give_up_lost() noexcept {
  sys::TimePoint sent_by = context_.loop.now() - context_.plan.timeout;
  if (!messages_.has_outstanding_sent_by(sent_by)) {
    return;
  }
  is_readable_ = true;
  read();
  if (is_readable_) {
    sent_by = std::min(sent_by, last_arrival_ - context_.plan.timeout - sys::Duration(1));
    context_.loop.enqueue(*this);
  }
  messages_.lose_sent_by(sent_by);
}

void DatagramFlow::check_timeouts() noexcept {
  if (state_ == State::lingering && context_.loop.now() >= lingers_until_) {
    close();
  }
  if (state_ != State::closed) {
    give_up_lost();
    send_datagrams();
  }
}

void DatagramFlow::stop() noexcept {
  linger_if_done();
}

void DatagramFlow::give_up_unbegun() noexcept {
  messages_.give_up_all_due();
  stop();
}

void DatagramFlow::abandon() noexcept {
  give_up_unbegun();
  if (messages_.outstanding() > 0) {
    count_error(LoadError::abandoned, "the run was over before " +
                                          std::to_string(messages_.outstanding()) +
                                          " datagrams came back");
  }
  messages_.fail_outstanding();
  if (state_ != State::closed) {
    close();
  }
}

void DatagramFlow::count_network_error(const char* call, int error) noexcept {
  if (error == ECONNREFUSED) {
    count_error(LoadError::refused, "refused: no server listens");
  } else {
    count_error(LoadError::reset, std::string(call) + ": " + errno_text(error));
  }
}

void DatagramFlow::count_error(LoadError error, const std::string& what) noexcept {
  context_.tally.count(error, "socket " + std::to_string(number_) + ": " + what);
}

}  // namespace echod::client
