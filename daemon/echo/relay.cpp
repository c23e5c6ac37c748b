#include "relay.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "stream_socket.hpp"

namespace echod {

namespace {

// What splice(2) says of itself, not of the socket: recv(2) may do better.
bool is_refusal(int error) noexcept {
  switch (error) {
    case EAGAIN:  // With bytes in the queue: an urgent mark comes next.
    case EINVAL:
    case ENOMEM:
    case ENOSYS:
    case EOPNOTSUPP:
    case EPERM:
      return true;
    default:
      return error == 0;  // Ask recv(2) whether that is a FIN.
  }
}

// Takes `bytes` out of the receive queue. Returns 0 or an errno.
int discard_all(int socket, std::size_t bytes) noexcept {
  while (bytes > 0) {
    const sys::IoResult discarded = sys::discard(socket, bytes);
    if (discarded.count() == 0) {
      return discarded.ok() ? ECONNRESET : discarded.error();
    }
    bytes -= discarded.count();
  }
  return 0;
}

}  // namespace

// NOLINTNEXTLINE(*-member-init): peek_room_ is written before it is read.
Relay::Relay(Counters& counters) noexcept : counters_(counters) {}

void Relay::apply(const EchoSettings& settings) noexcept {
  settings_ = settings.splice;
  blocks_.set_limits(settings.block_bytes, settings.buffer_bytes);
  pipes_.set_limits(settings_.pipes, settings_.pipe_bytes);
}

Round Relay::round(int socket, std::size_t most, bool may_splice, BulkState& bulk,
                   sys::TimePoint now) noexcept {
  Block* const block = blocks_.reading_block();
  if (block == nullptr) {
    return in_place(socket, most);
  }
  if (may_splice && bulk.patience > 0) {
    if (PooledPipe* const pipe = pipe_for(socket, *block, most, bulk, now)) {
      Round round = splice(socket, most, *block, *pipe, bulk);
      if (round.received.count() > 0 || !is_refusal(round.received.error())) {
        return round;
      }
      bulk.copies_left = settings_.copies_after_small_pieces;
    }
  }
  return copy(socket, *block, most, bulk);
}

// The pipe that the round splices through, or nullptr if it had better copy.
PooledPipe* Relay::pipe_for(int socket, const Block& block, std::size_t most, BulkState& bulk,
                            sys::TimePoint now) noexcept {
  const std::size_t least = settings_.least_bytes;
  if (settings_.pipes == 0 || most < least || block.capacity() < least) {
    return nullptr;
  }
  if (sys::unread_bytes(socket).count() < least) {
    return nullptr;
  }
  if (bulk.copies_left > 0) {
    --bulk.copies_left;
    return nullptr;
  }
  return may_pin(socket, bulk) ? pipes_.round_pipe(now) : nullptr;
}

Round Relay::copy(int socket, Block& block, std::size_t most, BulkState& bulk) noexcept {
  const std::span<std::byte> room = block.room().first(std::min(block.capacity(), most));
  const sys::IoResult received = sys::receive(socket, room);
  if (received.count() >= settings_.least_bytes && settings_.pipes > 0) {
    bulk.patience = settings_.patience & BulkState::kMostPatience;
  } else if (received.count() > 0 && bulk.patience > 0) {
    --bulk.patience;
  }
  if (received.count() == 0) {
    return {.received = received};
  }
  if (bulk.is_spliced) {
    bulk.is_spliced = false;
    counters_.add(Counter::splice_leaves);
  }
  Round round = send_back(socket, block, received.count());
  round.was_short = received.count() < room.size();
  return round;
}

Round Relay::splice(int socket, std::size_t most, Block& block, PooledPipe& pipe,
                    BulkState& bulk) noexcept {
  const sys::IoResult received =
      pipe.fill(socket, std::min({most, settings_.pipe_bytes, block.capacity()}));
  const std::size_t bytes = received.count();
  if (bytes == 0) {
    return {.received = received};
  }
  if (bytes < settings_.least_bytes) {
    counters_.add(Counter::splice_read_backs);
    bulk.copies_left = settings_.copies_after_small_pieces;
    if (const int error = pipe.read(block.room()); error != 0) {
      return {
          .received = received, .taken = bytes, .error = error, .reply = pipes_.take_round_pipe()};
    }
    return send_back(socket, block, bytes);
  }
  counters_.add(Counter::splice_rounds);
  counters_.add(Counter::bytes_spliced, bytes);
  if (!bulk.is_spliced) {
    bulk.is_spliced = true;
    counters_.add(Counter::splice_enters);
  }
  bulk.patience = settings_.patience & BulkState::kMostPatience;
  const sys::IoResult sent = pipe.send(socket);
  Round round{.received = received, .taken = bytes, .sent = bytes - pipe.size()};
  if (pipe.size() > 0) {
    round.reply = pipes_.take_round_pipe();
  }
  if (!sent.ok() && !sent.would_block()) {
    round.error = sent.error();
    return round;
  }
  round.is_blocked = round.reply != nullptr;
  count_pins(socket, bytes - round.sent, bulk);
  return round;
}

// Sends the first `bytes` of the block, and keeps it if they do not fit.
Round Relay::send_back(int socket, Block& block, std::size_t bytes) noexcept {
  const sys::IoResult sent = sys::send(socket, block.room().first(bytes));
  Round round{.received = sys::IoResult::of(static_cast<ssize_t>(bytes)),
              .taken = bytes,
              .sent = sent.count()};
  if (!sent.ok() && !sent.would_block()) {
    round.error = sent.error();
  } else if (sent.count() < bytes) {
    block.hold(sent.count(), bytes);
    round.is_blocked = true;
    round.reply = blocks_.take_reading_block();
  }
  return round;
}

Round Relay::in_place(int socket, std::size_t most) noexcept {
  const std::span<std::byte> room = std::span(peek_room_).first(std::min(peek_room_.size(), most));
  const sys::IoResult peeked = sys::peek(socket, room);
  Round round{.received = peeked, .was_short = peeked.count() < room.size()};
  if (peeked.count() == 0) {
    return round;
  }
  counters_.add(Counter::unbuffered_reads);
  const sys::IoResult sent = sys::send(socket, room.first(peeked.count()));
  if (!sent.ok() && !sent.would_block()) {
    round.taken = peeked.count();
    round.error = sent.error();
    return round;
  }
  round.is_blocked = sent.count() < peeked.count();
  round.taken = round.sent = sent.count();
  round.error = discard_all(socket, sent.count());
  return round;
}

// Whether a round may leave as many bytes unacknowledged as it can move.
bool Relay::may_pin(int socket, BulkState& bulk) noexcept {
  const auto has_room = [&] {
    const std::size_t most = settings_.pins_of(settings_.unacknowledged_bytes);
    return bulk.pins <= most && pins_ + settings_.pins_of(settings_.pipe_bytes) <= settings_.pins;
  };
  if (has_room()) {
    return true;
  }
  count_pins(socket, 0, bulk);  // The peer may have acknowledged something.
  if (has_room()) {
    return true;
  }
  counters_.add(Counter::splice_capped);
  return false;
}

void Relay::count_pins(int socket, std::size_t held, BulkState& bulk) noexcept {
  const std::size_t unacknowledged = sys::unacknowledged_bytes(socket).count();
  // More was not spliced.
  const std::size_t most = settings_.unacknowledged_bytes + settings_.pipe_bytes;
  set_pins(bulk, settings_.pins_of(std::min(unacknowledged + held, most)));
}

void Relay::set_pins(BulkState& bulk, std::size_t pins) noexcept {
  pins_ = pins_ - bulk.pins + pins;
  bulk.pins = static_cast<std::uint8_t>(pins);
}

}  // namespace echod
