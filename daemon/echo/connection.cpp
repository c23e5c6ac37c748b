#include "echo/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "echo/connection_facts.hpp"
#include "echo/echo_context.hpp"
#include "echo/parked_connection.hpp"
#include "sys/invariant.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

namespace {

constexpr std::uint32_t kReadEvents = EPOLLIN | EPOLLPRI | EPOLLRDHUP;
constexpr std::uint32_t kWriteEvents = EPOLLOUT;
// After these events a short read does not stand in for EAGAIN.
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

// A connection stores a time in 40 bits.
constexpr std::uint64_t kTimeBits = (std::uint64_t{1} << 40U) - 1;

std::uint64_t milliseconds_of(sys::TimePoint time) noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

Connection::State state_of(ParkedConnection::State state) noexcept {
  switch (state) {
    case ParkedConnection::State::flushing:
      return Connection::State::flushing;
    case ParkedConnection::State::delivering:
      return Connection::State::delivering;
    case ParkedConnection::State::echoing:
      break;
  }
  return Connection::State::echoing;
}

ParkedConnection::State parked_state_of(Connection::State state) noexcept {
  switch (state) {
    case Connection::State::flushing:
      return ParkedConnection::State::flushing;
    case Connection::State::delivering:
      return ParkedConnection::State::delivering;
    default:
      return ParkedConnection::State::echoing;
  }
}

// `elapsed` is measured between two ticks that are rounded down, so it may be a tick too long.
bool is_over(std::chrono::milliseconds timeout, std::chrono::milliseconds elapsed) noexcept {
  return elapsed >= timeout + Progress::kTick;
}
bool is_over_if_set(std::chrono::milliseconds timeout, std::chrono::milliseconds elapsed) noexcept {
  return timeout.count() > 0 && is_over(timeout, elapsed);
}

}  // namespace

Connection::Connection(EchoContext& context, TableEntry entry, sys::UniqueFd fd,
                       const SocketAddress& peer) noexcept
    : fd_(std::move(fd)),
      context_(context),
      opened_ms_(milliseconds_of(context.loop.now()) & kTimeBits),
      peer_(peer),
      progress_(context.loop.now()),
      entry_(entry) {
  relay_state_.is_local = is_local();
}

// The registration will report every event that is pending, so none has to be carried over. A FIN
// may have been reported before.
Connection::Connection(EchoContext& context, TableEntry entry, const ParkedConnection& parked,
                       ReplyPtr reply) noexcept
    : state_(state_of(parked.state)),
      must_read_to_eagain_(true),
      fd_(sys::UniqueFd::adopt(parked.fd)),
      context_(context),
      reply_(std::move(reply)),
      bytes_received_(parked.bytes_received),
      opened_ms_(static_cast<std::uint64_t>(parked.opened.count()) & kTimeBits),
      peer_(parked.peer),
      progress_(parked.progress, parked.unacknowledged),
      entry_(entry) {
  relay_state_.is_local = is_local();
  relay_state_.was_blocked = state_ == State::flushing;
  if (parked.pins_memory) {
    context_.pinned_rounds.restore(fd_.get(), kept_bytes(), relay_state_.pinned_rounds);
  }
}

void Connection::start() noexcept {
  context_.log.opened(peer_, fd_.get(), context_.loop.now());
  register_for(kReadEvents);
  if (context_.is_draining) {
    begin_drain();  // It was still in the accept queue when the drain began.
  }
}

void Connection::resume() noexcept {
  register_for(state_ == State::flushing ? kWriteEvents : kReadEvents);
}

void Connection::register_for(std::uint32_t events) noexcept {
  const sys::IoResult added = context_.loop.add(*this, fd_.get(), events);
  if (!added.ok()) {
    context_.counters.add(Counter::register_failures);
    context_.log.register_failed(peer_, added.error(), context_.loop.now());
    fail(added.error());
  }
}

ParkedConnection Connection::park() noexcept {
  invariant(!is_draining() && state_ != State::closed, "only a serving connection is parked");
  ParkedConnection parked{.listener = static_cast<std::uint8_t>(entry_.listener),
                          .fd = fd_.get(),
                          .peer = peer_,
                          .state = parked_state_of(state_),
                          .bytes_received = bytes_received_,
                          .opened = std::chrono::milliseconds(opened_ms_),
                          .progress = progress_.last_progress(),
                          .unacknowledged = progress_.unacknowledged(),
                          .pins_memory = relay_state_.pinned_rounds > 0};
  if (reply_ != nullptr) {
    reply_->describe(parked);
  }
  return parked;
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
      return begin_lingering();
    }
    const std::size_t most = std::min<std::uint64_t>(turn_end - bytes_received_, drain_allowance_);
    const Step step = finish_round(context_.relay.round(fd_.get(), most, !must_read_to_eagain_,
                                                        relay_state_, context_.loop.now()));
    if (step == Step::would_block && is_draining()) {
      return begin_lingering();  // The queue held less than it had reported.
    }
    if (step != Step::more) {
      return Turn::wait;
    }
    if (context_.relay.ends_turn(turn_end - bytes_received_, relay_state_)) {
      break;
    }
  }
  context_.counters.add(Counter::turns_over_budget);
  return Turn::again;
}

// Changes the state of the connection after a round.
Connection::Step Connection::finish_round(Round round) noexcept {
  if (round.received.count() == 0) {
    return finish_empty_read(round.received);
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
  return round.was_short && !must_read_to_eagain_ && !is_draining() ? Step::would_block
                                                                    : Step::more;
}

Connection::Step Connection::finish_empty_read(sys::IoResult received) noexcept {
  if (received.would_block()) {
    must_read_to_eagain_ = false;
    return Step::would_block;
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
  progress_.note_sent(context_.loop.now());
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
  progress_.note_sent(context_.loop.now());
  if (reply_ != nullptr && reply_->size() > 0) {
    return Turn::wait;  // A short write stands in for EAGAIN (epoll(7)): another OUT comes.
  }
  reply_.reset();
  state_ = State::echoing;
  await_readable();
  return Turn::wait;
}

// The peer's FIN was read, and everything before it was sent.
void Connection::end_of_input() noexcept {
  if (closes_if_delivered()) {
    return;
  }
  if (state_ != State::lingering) {
    if (const sys::IoResult shut = sys::shut_write(fd_.get()); !shut.ok()) {
      fail(shut.error());
      return;
    }
    progress_.note_fin();
  } else if (const int error = sys::take_error(fd_.get()); error != 0) {
    fail(error);  // An RST came after the FIN: recv does not report it, and its event is used up.
    return;
  }
  state_ = State::delivering;
}

// Called on the events of our own shutdown, of the acknowledgement of our FIN, and of an RST.
Turn Connection::await_delivery(std::uint32_t events) noexcept {
  if ((events & EPOLLERR) != 0) {
    if (const int error = sys::take_error(fd_.get()); error != 0) {
      fail(error);
      return Turn::wait;
    }
  }
  (void)closes_if_delivered();  // Otherwise another event comes.
  return Turn::wait;
}

// Closes the connection if the peer, whose FIN was read, has everything. Closing sends our FIN
// unless it is sent already.
bool Connection::closes_if_delivered() noexcept {
  if (!is_local()) {
    const sys::IoResult unacknowledged = sys::unacknowledged_bytes(fd_.get());
    if (!unacknowledged.ok() || unacknowledged.count() > 0) {
      return false;
    }
  }
  close(is_draining() ? CloseReason::drained : CloseReason::peer_closed);
  return true;
}

// Everything that is to be sent back while draining is sent.
Turn Connection::begin_lingering() noexcept {
  if (const sys::IoResult shut = sys::shut_write(fd_.get()); !shut.ok()) {
    fail(shut.error());
    return Turn::wait;
  }
  state_ = State::lingering;
  progress_.note_sent(context_.loop.now());
  return Turn::again;
}

Turn Connection::discard_input() noexcept {
  for (std::uint32_t reads = 0; reads < context_.settings.turn_reads; ++reads) {
    const sys::IoResult discarded = context_.relay.discard(fd_.get());
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
  if (state_ != State::closed) {
    close(reason);
  }
}

void Connection::close_by_operator() noexcept {
  if (state_ != State::closed) {
    (void)has_unacknowledged();  // Called only to note the present state.
    reset_or_close(CloseReason::by_operator);
  }
}

void Connection::check_timeouts() noexcept {
  const TimeoutsConfig& timeouts = context_.settings.timeouts;
  switch (state_) {
    case State::echoing:
      if (has_unacknowledged() &&
          is_over_if_set(timeouts.stalled_write, progress_.since(context_.loop.now()))) {
        reset_or_close(CloseReason::stalled_write);
      } else if (is_over_if_set(timeouts.idle, progress_.since(context_.loop.now()))) {
        on_idle_timeout();
      }
      break;
    case State::flushing:
    case State::delivering:
      (void)has_unacknowledged();  // Called only to note progress, since bytes are owed.
      close_if_timed_out();
      break;
    case State::lingering:
      if (has_unacknowledged()) {
        // The linger time has not started: the peer has yet to acknowledge its tail.
        close_if_timed_out();
      } else if (is_over(timeouts.linger, progress_.since(context_.loop.now()))) {
        close(CloseReason::linger_timeout);
      }
      break;
    case State::closed:
      return;
  }
  if (relay_state_.pinned_rounds > 0) {
    context_.pinned_rounds.recount(fd_.get(), kept_bytes(), relay_state_.pinned_rounds);
  }
}

// A connection that owes bytes does not read, so it cannot see whether the peer sends.
void Connection::close_if_timed_out() noexcept {
  if (is_over_if_set(context_.settings.timeouts.stalled_write,
                     progress_.since(context_.loop.now()))) {
    reset_or_close(CloseReason::stalled_write);
  } else if (is_over_if_set(context_.settings.timeouts.idle,
                            progress_.since(context_.loop.now()))) {
    reset_or_close(CloseReason::idle_timeout);
  }
}

// Resets the connection if sent bytes are unacknowledged. Otherwise the kernel would keep them for
// minutes, although limits.max_connections no longer counts the connection.
void Connection::reset_or_close(CloseReason reason) noexcept {
  if (progress_.had_unacknowledged()) {
    sys::reset_on_close(fd_.get());
  }
  close(reason);
}

// Does not close the connection if bytes of the peer wait: then this process was idle, not the peer
// (SIGSTOP, a paused machine), and the event is still to come.
void Connection::on_idle_timeout() noexcept {
  if (sys::unread_bytes(fd_.get()).count() == 0) {
    reset_or_close(CloseReason::idle_timeout);
    return;
  }
  progress_.note(context_.loop.now());
  context_.loop.enqueue(*this);
}

void Connection::await_writable() noexcept {
  context_.counters.add(Counter::flips_to_write);
  state_ = State::flushing;
  const sys::IoResult modified = context_.loop.modify(*this, fd_.get(), kWriteEvents);
  if (!modified.ok()) {
    fail(modified.error());
  }
}

// Ends the turn: if bytes are pending, the change of the mask raises an event.
void Connection::await_readable() noexcept {
  const sys::IoResult modified = context_.loop.modify(*this, fd_.get(), kReadEvents);
  if (!modified.ok()) {
    fail(modified.error());
  } else if (is_draining()) {
    context_.loop.enqueue(*this);  // There is no event if nothing is left to echo.
  }
}

void Connection::fail(int error, std::size_t unsent) noexcept {
  close(reason_of(error), error, unsent);
}

// The only function that ends a connection. Resets it if received bytes are not sent back: a FIN
// would tell the peer that nothing is missing. A UNIX socket has no reset, and sends its FIN.
void Connection::close(CloseReason reason, int error, std::size_t unsent) noexcept {
  unsent += kept_bytes();
  if (unsent > 0) {
    sys::reset_on_close(fd_.get());
    context_.counters.add(Counter::bytes_lost, unsent);
  }
  state_ = State::closed;
  context_.counters.add(counter_of(reason));
  if (bytes_received_ == 0) {
    context_.counters.add(Counter::empty_connections);
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
  context_.pinned_rounds.clear(relay_state_.pinned_rounds);
  reply_.reset();
  fd_.reset();
  context_.table.retire(*this);
  context_.listener_counts.closed(static_cast<std::uint8_t>(entry_.listener));
  context_.admission.connection_closed();
}

ConnectionFacts Connection::facts() const noexcept {
  const auto open_for = std::chrono::duration_cast<std::chrono::milliseconds>(age());
  return {.id = {.worker = static_cast<std::uint32_t>(context_.admission.worker),
                 .table_index = entry_.table_index,
                 .opened_ms = opened_ms_},
          .peer = peer_,
          .listener = static_cast<std::uint8_t>(entry_.listener),
          .state = state_,
          .age = open_for,
          .idle = std::min(progress_.since(context_.loop.now()), open_for),  // Ticks are coarser.
          .bytes_received = bytes_received_};
}

std::uint64_t Connection::owed_bytes() const noexcept {
  return kept_bytes() + (is_local() ? 0 : sys::unacknowledged_bytes(fd_.get()).count());
}

std::size_t Connection::kept_bytes() const noexcept {
  return reply_ != nullptr ? reply_->size() : 0;
}

bool Connection::has_unacknowledged() noexcept {
  return progress_.has_unacknowledged(fd_.get(), context_.loop.now());
}

sys::Duration Connection::age() const noexcept {
  return std::chrono::milliseconds((milliseconds_of(context_.loop.now()) - opened_ms_) & kTimeBits);
}

}  // namespace echod
