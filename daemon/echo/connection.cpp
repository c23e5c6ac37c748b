#include "connection.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "echo_context.hpp"
#include "stream_socket.hpp"

namespace echod {

namespace {

constexpr std::uint32_t kReadEvents = EPOLLIN | EPOLLPRI | EPOLLRDHUP;
constexpr std::uint32_t kWriteEvents = EPOLLOUT;
// After these a short read does not stand in for EAGAIN.
constexpr std::uint32_t kReadOnEvents = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

CloseReason reason_of(int error) noexcept {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:  // shutdown(2) after the peer's RST.
      return CloseReason::reset;
    case ETIMEDOUT:
      return CloseReason::timed_out;
    default:
      return CloseReason::io_error;
  }
}

// A connection has 40 bits for a time.
constexpr std::uint64_t kTimeBits = (std::uint64_t{1} << 40U) - 1;

std::uint64_t milliseconds_of(sys::TimePoint time) noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

}  // namespace

Connection::Connection(EchoContext& context, std::uint32_t table_index, sys::UniqueFd fd,
                       const sys::SocketAddress& peer) noexcept
    : fd_(std::move(fd)),
      context_(context),
      opened_ms_(milliseconds_of(context.loop.now()) & kTimeBits),
      peer_(peer),
      table_index_(table_index) {
  note_progress();
}

void Connection::start() noexcept {
  context_.log.opened(peer_, fd_.get(), context_.loop.now());
  const sys::IoResult added = context_.loop.add(*this, fd_.get(), kReadEvents);
  if (!added.ok()) {
    context_.counters.add(Counter::register_failures);
    context_.log.register_failed(peer_, added.error(), context_.loop.now());
    close(CloseReason::io_error, added.error());
  } else if (context_.is_draining) {
    begin_drain();  // It waited in the accept queue when the drain began.
  }
}

Turn Connection::on_turn(std::uint32_t events) noexcept {
  if ((events & kReadOnEvents) != 0) {
    must_read_to_eagain_ = true;
  }
  switch (state_) {
    case State::echoing:
      return echo();
    case State::flushing:
      return flush();
    case State::delivering:
      return await_delivery(events);
    case State::lingering:
      return discard_input();
    case State::closed:
      break;
  }
  return Turn::wait;
}

Turn Connection::echo() noexcept {
  const std::uint64_t turn_end = bytes_received_ + context_.settings.turn_bytes;
  for (std::uint32_t reads = 0; reads < context_.settings.turn_reads; ++reads) {
    if (drain_allowance_ == 0) {
      return linger();
    }
    if (bytes_received_ >= turn_end) {
      break;
    }
    const std::size_t most = std::min<std::uint64_t>(turn_end - bytes_received_, drain_allowance_);
    const Step step = after(
        context_.relay.round(fd_.get(), most, !must_read_to_eagain_, bulk_, context_.loop.now()));
    if (step == Step::drained && is_draining()) {
      return linger();  // Less was left than the queue said; there is no more.
    }
    if (step != Step::more) {
      return Turn::wait;
    }
  }
  context_.counters.add(Counter::turns_over_budget);
  return Turn::again;
}

// What a round means for the connection.
Connection::Step Connection::after(Round round) noexcept {
  if (round.received.count() == 0) {
    return after_empty_read(round.received);
  }
  if (round.taken > 0) {
    count_echo(round.taken, round.sent);
  }
  if (round.error != 0) {
    fail(round.error, round.taken - round.sent);
    return Step::left;
  }
  if (round.is_blocked) {
    reply_ = std::move(round.reply);
    await_writable();
    return Step::left;
  }
  return round.was_short && !must_read_to_eagain_ && !is_draining() ? Step::drained : Step::more;
}

Connection::Step Connection::after_empty_read(sys::IoResult received) noexcept {
  if (received.would_block()) {
    must_read_to_eagain_ = false;
    return Step::drained;
  }
  if (!received.ok()) {
    fail(received.error());
    return Step::left;
  }
  end_of_input();
  return Step::left;
}

void Connection::count_echo(std::size_t received, std::size_t sent) noexcept {
  bytes_received_ += received;
  if (is_draining()) {
    drain_allowance_ -= static_cast<std::uint32_t>(received);
  }
  note_sent();
  context_.counters.add(Counter::echoes);
  context_.counters.add(Counter::bytes_received, received);
  context_.counters.add(Counter::bytes_sent, sent);
  if (context_.log.logs_echoes()) {
    context_.log.echoed(peer_, fd_.get(), received, sent, context_.loop.now());
  }
}

Turn Connection::flush() noexcept {
  if (reply_ != nullptr) {
    const std::size_t owed = reply_->size();
    const sys::IoResult sent = reply_->send(fd_.get());
    context_.counters.add(Counter::bytes_sent, owed - reply_->size());
    if (!sent.ok()) {
      if (!sent.would_block()) {
        fail(sent.error());
      }
      return Turn::wait;
    }
  }
  note_sent();
  if (reply_ != nullptr && reply_->size() > 0) {
    return Turn::wait;  // A short write stands for EAGAIN (epoll(7)): the next OUT comes.
  }
  reply_.reset();
  state_ = State::echoing;
  await_readable();
  return Turn::wait;
}

// The peer's FIN was read, and everything before it was handed to the kernel.
void Connection::end_of_input() noexcept {
  if (closes_if_delivered()) {
    return;
  }
  if (state_ != State::lingering) {
    if (const sys::IoResult shut = sys::shut_write(fd_.get()); !shut.ok()) {
      fail(shut.error());
      return;
    }
  } else if (const int error = sys::take_error(fd_.get()); error != 0) {
    fail(error);  // An RST came behind the FIN: recv does not tell, and its event is used up.
    return;
  }
  state_ = State::delivering;
  unacknowledged_ = kNotAsked;
}

// The events that bring us here: our own shutdown, the acknowledgement of our FIN, an RST.
Turn Connection::await_delivery(std::uint32_t events) noexcept {
  if ((events & EPOLLERR) != 0) {
    if (const int error = sys::take_error(fd_.get()); error != 0) {
      fail(error);
      return Turn::wait;
    }
  }
  (void)closes_if_delivered();  // If not, another event comes.
  return Turn::wait;
}

// The peer's FIN was read. Closing sends ours, unless it is sent already.
bool Connection::closes_if_delivered() noexcept {
  const sys::IoResult unacknowledged = sys::unacknowledged_bytes(fd_.get());
  if (!unacknowledged.ok() || unacknowledged.count() > 0) {
    return false;
  }
  close(is_draining() ? CloseReason::drained : CloseReason::peer_closed);
  return true;
}

// Everything that was to be sent back while draining is with the kernel.
Turn Connection::linger() noexcept {
  if (const sys::IoResult shut = sys::shut_write(fd_.get()); !shut.ok()) {
    fail(shut.error());
    return Turn::wait;
  }
  state_ = State::lingering;
  note_sent();
  return Turn::again;
}

Turn Connection::discard_input() noexcept {
  constexpr std::size_t kAtOnce = std::size_t{1} << 20;
  for (std::uint32_t reads = 0; reads < context_.settings.turn_reads; ++reads) {
    const sys::IoResult discarded = sys::discard(fd_.get(), kAtOnce);
    if (discarded.would_block()) {
      return Turn::wait;
    }
    if (!discarded.ok()) {
      fail(discarded.error());
      return Turn::wait;
    }
    if (discarded.count() == 0) {
      end_of_input();
      return Turn::wait;
    }
    context_.counters.add(Counter::bytes_discarded, discarded.count());
  }
  return Turn::again;
}

void Connection::begin_drain() noexcept {
  if (is_draining() || (state_ != State::echoing && state_ != State::flushing)) {
    return;
  }
  const sys::IoResult unread = sys::unread_bytes(fd_.get());
  drain_allowance_ = static_cast<std::uint32_t>(unread.count());
  if (state_ == State::echoing) {
    context_.loop.enqueue(*this);
  }
}

void Connection::abort(CloseReason reason) noexcept {
  if (state_ == State::closed) {
    return;
  }
  if (reply_ != nullptr) {
    sys::reset_on_close(fd_.get());  // A FIN would say that this was all.
  }
  close(reason);
}

void Connection::await_writable() noexcept {
  context_.counters.add(Counter::flips_to_write);
  state_ = State::flushing;
  const sys::IoResult modified = context_.loop.modify(*this, fd_.get(), kWriteEvents);
  if (!modified.ok()) {
    fail(modified.error());
  }
}

// The turn ends here: if anything is pending, the change of the mask itself raises the event.
void Connection::await_readable() noexcept {
  const sys::IoResult modified = context_.loop.modify(*this, fd_.get(), kReadEvents);
  if (!modified.ok()) {
    fail(modified.error());
  } else if (is_draining()) {
    context_.loop.enqueue(*this);  // No event tells that nothing is left to echo.
  }
}

void Connection::fail(int error, std::size_t unsent) noexcept {
  close(reason_of(error), error, unsent);
}

// The one place that ends a connection.
void Connection::close(CloseReason reason, int error, std::size_t unsent) noexcept {
  state_ = State::closed;
  context_.counters.add(counter_of(reason));
  if (bytes_received_ == 0) {
    context_.counters.add(Counter::empty_connections);
  }
  if (reply_ != nullptr) {
    unsent = reply_->size();
  }
  context_.log.closed({.peer = peer_,
                       .fd = fd_.get(),
                       .bytes_received = bytes_received_,
                       .bytes_sent = bytes_received_ - unsent,
                       .duration = age(),
                       .reason = reason,
                       .error = error},
                      context_.loop.now());
  context_.loop.remove(*this);
  context_.relay.forget(bulk_);
  reply_.reset();
  fd_.reset();
  context_.table.retire(*this);
  context_.admission.leave(context_.worker);
}

sys::Duration Connection::age() const noexcept {
  return std::chrono::milliseconds((milliseconds_of(context_.loop.now()) - opened_ms_) & kTimeBits);
}

void Connection::note_progress() noexcept {
  last_progress_ = now();
}

// The kernel was given bytes or our FIN.
void Connection::note_sent() noexcept {
  note_progress();
  unacknowledged_ = kNotAsked;
}

Connection::Ticks Connection::now() const noexcept {
  return std::chrono::duration_cast<Ticks>(context_.loop.now().time_since_epoch());
}

}  // namespace echod
