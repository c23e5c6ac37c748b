#include "client/check/datagram_peer.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "client/text/figures.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::client {

namespace {

// Holds a train, so that a slow check does not lose the server's answers.
constexpr int kReceiveBufferBytes = 1 << 20;

bool is_own_shortage(int error) {
  constexpr std::array kOwn{EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EADDRINUSE, EMSGSIZE};
  return std::ranges::find(kOwn, error) != kOwn.end();
}

}  // namespace

DatagramPeer::DatagramPeer(CheckContext& context, std::uint16_t local_port)
    : context_(context), number_(context.next_connection_number()), format_(context.plan().seed) {
  const SocketAddress& server = context.plan().server.address();
  const int error =
      socket_.open(server, sys::any_local_address(server, local_port), kReceiveBufferBytes);
  if (error == EACCES && local_port != 0) {
    throw PortRefused(errno_text(error));
  }
  if (error != 0) {
    fail_with_error(error);
  }
}

// Sending.

std::span<const std::byte> DatagramPeer::add_datagram(std::size_t bytes) {
  const DatagramId id{.socket = number_, .number = sent_.size()};
  sent_.push_back({.bytes = std::vector<std::byte>(bytes)});
  format_.fill(sent_.back().bytes, id);
  return sent_.back().bytes;
}

void DatagramPeer::transmit(std::span<const std::byte> bytes) {
  const sys::TimePoint end = sys::MonotonicClock::now() + context_.plan().timeout;
  for (;;) {
    const sys::IoResult result = sys::send(socket_.fd(), bytes);
    if (result.ok()) {
      trace("sent", bytes);
      return;
    }
    const bool may_wait = result.would_block() && sys::MonotonicClock::now() < end;
    if (!may_wait) {
      fail_with_error(result.error());
    }
    (void)sys::wait_ready(socket_.fd(), POLLOUT, end);  // If it is not ready, send() fails again.
  }
}

void DatagramPeer::send(std::size_t bytes) {
  transmit(add_datagram(bytes));
}

void DatagramPeer::send_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  sent_.push_back({.bytes = std::vector<std::byte>(bytes.begin(), bytes.end())});
  transmit(sent_.back().bytes);
}

bool DatagramPeer::send_train(std::size_t count, std::size_t bytes) {
  std::vector<std::byte> train;
  for (std::size_t i = 0; i < count; ++i) {
    const auto datagram = add_datagram(bytes);
    train.insert(train.end(), datagram.begin(), datagram.end());
  }
  const bool is_at_once = socket_.set_segment(bytes) && sys::send(socket_.fd(), train).ok();
  (void)socket_.set_segment(0);  // If it fails, nothing was set.
  if (is_at_once) {
    trace("sent a train of", train);
    return true;
  }
  for (std::size_t i = sent_.size() - count; i < sent_.size(); ++i) {
    transmit(sent_[i].bytes);
  }
  return false;
}

// Receiving.

void DatagramPeer::await_all_echoes() {
  const auto timeout = context_.plan().timeout;
  if (const std::size_t left = await_echoes(timeout); left > 0) {
    fail(": nothing for " + duration_text(timeout) + ", " + std::to_string(left) + " of " +
         std::to_string(sent_.size()) + (sent_.size() == 1 ? " datagram" : " datagrams") +
         " missing");
  }
}

std::size_t DatagramPeer::await_echoes(std::chrono::nanoseconds patience) {
  while (missing() > 0 && receive_until(sys::MonotonicClock::now() + patience)) {
  }
  return missing();
}

void DatagramPeer::expect_no_more_on(std::span<DatagramPeer> peers) {
  constexpr std::chrono::milliseconds kSurplusTime{200};
  const sys::TimePoint end = sys::MonotonicClock::now() + kSurplusTime;
  for (DatagramPeer& peer : peers) {
    while (peer.receive_until(end)) {
    }
  }
}

bool DatagramPeer::receive_until(sys::TimePoint end) {
  std::array<pollfd, 2> polled{{{.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                                {.fd = socket_.stray_fd(), .events = POLLIN, .revents = 0}}};
  if (sys::wait_ready(polled, end).count() == 0) {
    return false;
  }
  if (polled[1].revents != 0) {
    receive_stray();
  }
  if (polled[0].revents != 0) {
    receive_answer();
  }
  return true;
}

void DatagramPeer::receive_answer() {
  const sys::IoResult result = sys::receive(socket_.fd(), context_.buffer());
  if (result.would_block()) {
    return;  // Its checksum was wrong, so the kernel dropped it.
  }
  if (!result.ok()) {
    fail_with_error(result.error());
  }
  handle_answer(context_.buffer().first(result.count()));
}

void DatagramPeer::receive_stray() {
  const sys::Stray stray = socket_.receive_stray(context_.buffer());
  if (stray.result.ok()) {
    fail(": " + bytes_text(stray.result.count()) + " came from " + stray.sender.text() +
         ", and not from " + context_.plan().server.address().text());
  }
}

void DatagramPeer::handle_answer(std::span<const std::byte> bytes) {
  trace("received", bytes);
  const auto equals = [bytes](const Sent& sent) { return std::ranges::equal(sent.bytes, bytes); };
  const auto answered = std::ranges::find_if(
      sent_, [&](const Sent& sent) { return !sent.is_answered && equals(sent); });
  if (answered == sent_.end()) {
    fail(": " + fault_text(bytes));
  }
  answered->is_answered = true;
  ++answered_;
  const auto number = static_cast<std::size_t>(answered - sent_.begin());
  reordered_ += number < latest_ ? 1U : 0U;
  latest_ = std::max(latest_, number);
}

// Failures.

std::string DatagramPeer::fault_text(std::span<const std::byte> bytes) const {
  const auto repeated = std::ranges::find_if(sent_, [bytes](const Sent& sent) {
    return sent.is_answered && std::ranges::equal(sent.bytes, bytes);
  });
  if (repeated != sent_.end()) {
    return "datagram " + std::to_string(repeated - sent_.begin()) + " came back twice";
  }
  const auto id = format_.id_of(bytes);
  if (id && id->socket != number_) {
    return "got a datagram of socket " + std::to_string(id->socket);
  }
  const auto owed = std::ranges::find_if(sent_, [](const Sent& sent) { return !sent.is_answered; });
  if (owed == sent_.end()) {
    return bytes_text(bytes.size()) + " more than were sent: " + preview(bytes);
  }
  if (owed->bytes.size() != bytes.size()) {
    return bytes_text(bytes.size()) + " came back, sent were " + bytes_text(owed->bytes.size());
  }
  const auto difference = std::ranges::mismatch(bytes, owed->bytes);
  return "byte " + std::to_string(difference.in1 - bytes.begin()) + " is " +
         hex_text(*difference.in1) + ", expected " + hex_text(*difference.in2);
}

void DatagramPeer::fail(const std::string& what) const {
  throw CheckFailure(name() + what);
}

void DatagramPeer::fail_with_error(int error) const {
  if (is_own_shortage(error)) {
    throw std::system_error(error, std::system_category(), name() + ": echoload's own host");
  }
  if (error == ECONNREFUSED) {
    throw CannotConnect(name() + ": no server at " + context_.plan().server.text() + ": " +
                        errno_text(error));
  }
  throw NetworkFailure(name() + ": " + errno_text(error));
}

std::string DatagramPeer::name() const {
  return "socket " + std::to_string(number_);
}

void DatagramPeer::trace(const std::string& event, std::span<const std::byte> bytes) const {
  if (context_.is_traced()) {
    context_.trace(name() + ": " + event + ' ' + bytes_text(bytes.size()) + ' ' + preview(bytes));
  }
}

}  // namespace echod::client
