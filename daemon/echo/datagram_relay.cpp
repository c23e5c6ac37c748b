#include "echo/datagram_relay.hpp"

#include <algorithm>
#include <cerrno>

#include "echo/datagram_guard.hpp"

namespace echod {

namespace {

using sys::DatagramReplies;
using sys::DatagramReply;

// The bytes of the largest train that every kernel sends, of datagrams of this size.
std::size_t largest_train(std::size_t segment_bytes) noexcept {
  const std::size_t segments =
      std::min(DatagramReplies::kMostSegments, DatagramReplies::kMostTrainBytes / segment_bytes);
  return std::max<std::size_t>(segments, 1) * segment_bytes;
}

// EMSGSIZE, or EINVAL of older kernels: the datagrams are larger than the MTU. EIO: the device has
// no checksum offload, which older kernels need for a train.
bool is_refused_train(const DatagramReply& reply, int error) noexcept {
  return reply.segment_bytes > 0 && (error == EMSGSIZE || error == EINVAL || error == EIO);
}

}  // namespace

DatagramRelay::DatagramRelay(Counters& counters, const std::vector<std::uint16_t>& own_ports)
    : counters_(counters), own_ports_(own_ports) {}

DatagramRelay::BatchResult DatagramRelay::echo(int fd, std::size_t most,
                                               sys::TimePoint now) noexcept {
  const sys::IoResult received = batch_.receive(fd, most);
  BatchResult result{.received = received.count(),
                     .error = received.would_block() ? 0 : received.error()};
  for (std::size_t slot = 0; slot < result.received; ++slot) {
    const sys::ReceivedDatagrams datagrams = batch_.at(slot);
    result.bytes += datagrams.bytes.size();
    handle(fd, datagrams, now);
  }
  flush(fd, now);
  return result;
}

void DatagramRelay::handle(int fd, const sys::ReceivedDatagrams& datagrams,
                           sys::TimePoint now) noexcept {
  const std::size_t count = datagrams.count();
  counters_.add(Counter::datagrams_received, count);
  counters_.add(Counter::datagram_bytes_received, datagrams.bytes.size());
  if (datagrams.segment_bytes > 0) {
    counters_.add(Counter::datagram_trains);
  }
  const DatagramVerdict verdict = verdict_on(datagrams, own_ports_);
  if (verdict != DatagramVerdict::echo) {
    counters_.add(counter_of(verdict), count);
  } else if (!rates_.take_tokens(datagrams.peer, count, now)) {
    counters_.add(Counter::datagrams_dropped_source_rate, count);
  } else {
    add_replies(fd, datagrams, now);
  }
}

// Cuts a train where no kernel would take it as a whole. A datagram of 0 bytes is a reply too.
void DatagramRelay::add_replies(int fd, const sys::ReceivedDatagrams& datagrams,
                                sys::TimePoint now) noexcept {
  const std::size_t segment = datagrams.segment_bytes;
  std::span<const std::byte> left = datagrams.bytes;
  do {
    std::size_t length = left.size();
    if (segment > 0) {
      length = std::min(length, now < no_trains_until_ ? segment : largest_train(segment));
    }
    if (replies_.is_full()) {
      flush(fd, now);
    }
    replies_.add({.bytes = left.first(length),
                  .segment_bytes = length > segment ? segment : 0,
                  .peer = datagrams.peer,
                  .local = datagrams.local});
    left = left.subspan(length);
  } while (!left.empty());
}

void DatagramRelay::flush(int fd, sys::TimePoint now) noexcept {
  std::size_t next = 0;
  for (int error = send_from(fd, replies_, next); error != 0;
       error = send_from(fd, replies_, next)) {
    if (is_refused_train(replies_.at(next), error)) {
      send_one_by_one(fd, replies_.at(next), now);
      ++next;
    } else {
      next = skip(replies_, next, error);
    }
  }
  replies_.clear();
}

// Sends and counts the replies from `next` on. Returns 0 if there are no more; else the errno for
// the reply that is `next` then.
int DatagramRelay::send_from(int fd, DatagramReplies& replies, std::size_t& next) noexcept {
  while (next < replies.size()) {
    const sys::IoResult sent = replies.send(fd, next);
    if (!sent.ok()) {
      return sent.error();
    }
    for (const std::size_t end = next + sent.count(); next < end; ++next) {
      const DatagramReply& reply = replies.at(next);
      counters_.add(Counter::datagrams_echoed, reply.count());
      counters_.add(Counter::datagram_bytes_sent, reply.bytes.size());
      if (reply.segment_bytes > 0) {
        refusals_ = 0;
      }
    }
  }
  return 0;
}

// Drops the reply `next`, and all that follow if the socket takes no more now. Returns the next one
// to send.
std::size_t DatagramRelay::skip(const DatagramReplies& replies, std::size_t next,
                                int error) noexcept {
  const std::size_t end = error == EAGAIN ? replies.size() : next + 1;
  for (; next < end; ++next) {
    counters_.add(Counter::datagrams_dropped_not_sent, replies.at(next).count());
  }
  return next;
}

void DatagramRelay::send_one_by_one(int fd, const DatagramReply& train,
                                    sys::TimePoint now) noexcept {
  counters_.add(Counter::datagram_trains_refused);
  if (++refusals_ == kMostRefusals) {
    refusals_ = 0;
    no_trains_until_ = now + kTimeWithoutTrains;
  }
  singles_.clear();
  for (std::span<const std::byte> left = train.bytes; !left.empty();) {
    const std::size_t length = std::min(left.size(), train.segment_bytes);
    singles_.add({.bytes = left.first(length), .peer = train.peer, .local = train.local});
    left = left.subspan(length);
  }
  std::size_t next = 0;
  for (int error = send_from(fd, singles_, next); error != 0;
       error = send_from(fd, singles_, next)) {
    next = skip(singles_, next, error);
  }
}

}  // namespace echod
