#include "echo/relay.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "echo/parked_connection.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

namespace {

// Whether splice(2) refused to move bytes that recv(2) may be able to read.
bool is_refusal(int error) noexcept {
  switch (error) {
    case EAGAIN:  // There are bytes in the queue, but an urgent mark comes next.
    case EINVAL:
    case ENOMEM:
    case ENOSYS:
    case EOPNOTSUPP:
    case EPERM:
      return true;
    default:
      return error == 0;  // Only recv(2) can tell whether this is a FIN.
  }
}

static_assert(SpliceSettings{}.patience <= RelayState::kMostPatience);

}  // namespace

// NOLINTNEXTLINE(*-member-init): peek_buffer_ is written before it is read.
Relay::Relay(Counters& counters, DelayHistogram& server_delay, PinnedRounds& pinned) noexcept
    : counters_(counters), server_delay_(server_delay), pinned_(pinned) {}

void Relay::apply(const EchoSettings& settings) noexcept {
  settings_ = settings.splice;
  blocks_.set_limits(settings.block_bytes, settings.buffer_bytes);
  pipes_.set_limits(settings_.pipes, settings_.pipe_bytes);
  sampling_.set_interval(settings.reads_per_sample);
}

Round Relay::round(int socket, std::size_t most, bool may_splice, RelayState& state,
                   sys::TimePoint now) noexcept {
  Round round = move(socket, most, may_splice, state, now);
  if (round.is_blocked) {
    state.was_blocked = true;
  } else if (round.was_short) {
    state.was_blocked = false;
  }
  return round;
}

Round Relay::move(int socket, std::size_t most, bool may_splice, RelayState& state,
                  sys::TimePoint now) noexcept {
  Block* const block = blocks_.reading_block();
  if (block == nullptr) {
    return in_place(socket, most, state);
  }
  if (may_splice && !state.is_local && state.patience > 0) {
    if (PooledPipe* const pipe = pipe_for(socket, *block, most, state, now)) {
      Round round = splice(socket, most, *block, *pipe, state);
      if (round.received.count() > 0 || !is_refusal(round.received.error())) {
        return round;
      }
      counters_.add(Counter::splice_refused);
      state.copies_left = settings_.copies_after_small_pieces;
    }
  }
  return copy(socket, *block, most, state);
}

// Returns the pipe that the round splices through, or nullptr if it should copy.
PooledPipe* Relay::pipe_for(int socket, const Block& block, std::size_t most, RelayState& state,
                            sys::TimePoint now) noexcept {
  const std::size_t least = settings_.least_bytes;
  if (settings_.pipes == 0 || most < least || block.capacity() < least) {
    return nullptr;
  }
  if (state.copies_left > 0) {
    --state.copies_left;
    return nullptr;
  }
  if (sys::unread_bytes(socket).count() < least) {
    return nullptr;
  }
  PooledPipe* const pipe = pipes_.round_pipe(now);
  if (pipe != nullptr && !pinned_.add(socket, state.pinned_rounds)) {
    counters_.add(Counter::splice_capped);
    return nullptr;
  }
  return pipe;
}

Round Relay::copy(int socket, Block& block, std::size_t most, RelayState& state) noexcept {
  const std::span<std::byte> into = block.memory().first(std::min(block.capacity(), most));
  const sys::SocketRead read = read_into(socket, into, state);
  const sys::IoResult received = read.result;
  if (received.count() >= settings_.least_bytes && settings_.pipes > 0) {
    state.patience = settings_.patience & RelayState::kMostPatience;
  } else if (received.count() > 0 && state.patience > 0) {
    --state.patience;
  }
  if (received.count() == 0) {
    return {.received = received, .was_short = true};
  }
  if (state.is_spliced) {
    state.is_spliced = false;
    counters_.add(Counter::splice_leaves);
  }
  Round round = send_back(socket, block, received.count());
  count_delay(read, round.sent, state);
  round.was_short = received.count() < into.size() && !read.had_control_data;
  return round;
}

Round Relay::splice(int socket, std::size_t most, Block& block, PooledPipe& pipe,
                    RelayState& state) noexcept {
  const sys::IoResult received =
      pipe.fill(socket, std::min({most, settings_.pipe_bytes, block.capacity()}));
  const std::size_t bytes = received.count();
  if (bytes == 0) {
    pinned_.remove(state.pinned_rounds);
    return {.received = received};
  }
  if (bytes < settings_.least_bytes) {
    pinned_.remove(state.pinned_rounds);
    counters_.add(Counter::splice_read_backs);
    state.copies_left = settings_.copies_after_small_pieces;
    if (const int error = pipe.read(block.memory()); error != 0) {
      return {.received = received,
              .taken = bytes,
              .error = error,
              .reply = pipes_.detach_round_pipe()};
    }
    return send_back(socket, block, bytes);
  }
  counters_.add(Counter::splice_rounds);
  counters_.add(Counter::bytes_spliced, bytes);
  if (!state.is_spliced) {
    state.is_spliced = true;
    counters_.add(Counter::splice_enters);
  }
  state.patience = settings_.patience & RelayState::kMostPatience;
  const sys::IoResult sent = pipe.send(socket);
  Round round{.received = received, .taken = bytes, .sent = bytes - pipe.size()};
  if (pipe.size() > 0) {
    round.reply = pipes_.detach_round_pipe();
  }
  if (!sent.ok() && !sent.would_block()) {
    round.error = sent.error();
    return round;
  }
  round.is_blocked = round.reply != nullptr;
  pinned_.recount(socket, bytes - round.sent, state.pinned_rounds);
  return round;
}

// Sends the first `bytes` of the block. If the kernel does not accept all, the round keeps the
// block.
Round Relay::send_back(int socket, Block& block, std::size_t bytes) noexcept {
  const sys::IoResult sent = sys::send(socket, block.memory().first(bytes));
  Round round{.received = sys::IoResult::of(static_cast<ssize_t>(bytes)),
              .taken = bytes,
              .sent = sent.count()};
  if (!sent.ok() && !sent.would_block()) {
    round.error = sent.error();
  } else if (sent.count() < bytes) {
    block.hold(sent.count(), bytes);
    round.is_blocked = true;
    round.reply = blocks_.detach_reading_block();
  }
  return round;
}

Round Relay::in_place(int socket, std::size_t most, const RelayState& state) noexcept {
  const std::span<std::byte> buffer =
      std::span(peek_buffer_).first(std::min(peek_buffer_.size(), most));
  const sys::SocketRead read = peek_into(socket, buffer, state);
  const sys::IoResult peeked = read.result;
  Round round{.received = peeked,
              .was_short = peeked.count() < buffer.size() && !read.had_control_data};
  if (peeked.count() == 0) {
    return round;
  }
  counters_.add(Counter::unbuffered_reads);
  const sys::IoResult sent = sys::send(socket, buffer.first(peeked.count()));
  if (!sent.ok() && !sent.would_block()) {
    round.taken = peeked.count();
    round.error = sent.error();
    return round;
  }
  count_delay(read, sent.count(), state);
  round.is_blocked = sent.count() < peeked.count();
  round.taken = round.sent = sent.count();
  round.error = discard_all(socket, sent.count());
  return round;
}

sys::IoResult Relay::discard(int socket) noexcept {
  return sys::discard(socket, peek_buffer_);
}

// Removes `bytes`, at most kPeekBytes, from the receive queue. Returns 0 or an errno.
int Relay::discard_all(int socket, std::size_t bytes) noexcept {
  while (bytes > 0) {
    const sys::IoResult discarded = sys::discard(socket, std::span(peek_buffer_).first(bytes));
    if (discarded.count() == 0) {
      return discarded.ok() ? ECONNRESET : discarded.error();
    }
    bytes -= discarded.count();
  }
  return 0;
}

sys::SocketRead Relay::read_into(int socket, std::span<std::byte> into,
                                 const RelayState& state) noexcept {
  if (state.is_local) {
    return sys::receive_local(socket, into);
  }
  return sampling_.takes_next() ? sys::receive_with_time(socket, into)
                                : sys::SocketRead{.result = sys::receive(socket, into)};
}

sys::SocketRead Relay::peek_into(int socket, std::span<std::byte> into,
                                 const RelayState& state) noexcept {
  if (state.is_local) {
    return sys::peek_local(socket, into);
  }
  return sampling_.takes_next() ? sys::peek_with_time(socket, into)
                                : sys::SocketRead{.result = sys::peek(socket, into)};
}

std::optional<ReplyPtr> Relay::restore(const ParkedConnection& parked,
                                       std::shared_ptr<const void> memory) noexcept {
  if (parked.owed.empty() && parked.pipe_read_end < 0) {
    return nullptr;
  }
  ReplyPtr reply =
      parked.owed.empty()
          ? pipes_.restore(parked.pipe_read_end, parked.pipe_write_end, parked.pipe_bytes)
          : blocks_.restore(parked.owed, parked.own_memory, std::move(memory));
  return reply != nullptr ? std::optional(std::move(reply)) : std::nullopt;
}

void Relay::count_delay(const sys::SocketRead& read, std::size_t sent,
                        const RelayState& state) noexcept {
  if (!read.arrived || sent < read.result.count() || state.was_blocked) {
    return;
  }
  if (const std::optional<sys::Duration> delay = sys::time_since(*read.arrived)) {
    server_delay_.add(*delay);
  }
}

}  // namespace echod
