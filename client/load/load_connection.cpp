#include "client/load/load_connection.hpp"

#include <algorithm>
#include <cerrno>

#include "client/text/figures.hpp"

namespace echod::client {

LoadConnection::LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot)
    : context_(context),
      slot_(slot),
      socket_(context, *this, number),
      messages_(context, number, slot < context.active),
      check_(context.plan, messages_.counts()) {}

// The only function that changes the state. It also updates the counts of connections per state.
void LoadConnection::enter(State state) noexcept {
  const auto recount = [this, state](std::uint64_t& connections, auto... counted) {
    connections += ((state == counted) || ...) ? 1U : 0U;
    connections -= ((state_ == counted) || ...) ? 1U : 0U;
  };
  recount(context_.opening, State::opening);
  recount(context_.half_closed, State::half_closed);
  recount(context_.diagnosing, State::diagnosing);
  recount(context_.tally.connected, State::open, State::half_closed, State::diagnosing);
  state_ = state;
}

// Connecting.

void LoadConnection::open() noexcept {
  enter(State::opening);
  // Before connect(2): on loopback most of the handshake happens inside that call.
  last_progress_ = sys::MonotonicClock::now();
  connect();
}

void LoadConnection::connect() noexcept {
  const int error = socket_.connect();
  if (error == 0) {
    on_opened(sys::MonotonicClock::now());
    begin_and_send();
  } else if (error == EAGAIN && context_.plan.server.is_local()) {
    return;  // The accept queue is full.
  } else if (error != EINPROGRESS) {
    fail_to_open(error);
  }
}

// Returns whether the connection is open.
bool LoadConnection::finish_connecting(std::uint32_t events) noexcept {
  if (const int error = socket_.connect_error(); error != 0) {
    fail_to_open(error);
    return false;
  }
  if ((events & EPOLLOUT) == 0) {
    return false;
  }
  on_opened(context_.loop.now());
  return true;
}

void LoadConnection::on_opened(sys::TimePoint moment) noexcept {
  enter(State::open);
  has_echoed_ = false;
  if (!is_connect_mode() || messages_.is_oldest_measured()) {
    context_.tally.connect.record(moment - last_progress_);
  }
  if (slot_ >= context_.active) {
    record_recovery(moment);
  }
}

Turn LoadConnection::on_turn(std::uint32_t events) noexcept {
  if (state_ == State::opening && !finish_connecting(events)) {
    return Turn::wait;
  }
  socket_.on_events(events);
  if (socket_.is_readable()) {
    read();
  }
  if (state_ == State::closed) {
    return Turn::wait;  // It ended or failed. The worker opens it again if it is needed.
  }
  begin_and_send();
  return socket_.is_readable() ? Turn::again : Turn::wait;
}

void LoadConnection::close() noexcept {
  socket_.close();
  enter(State::closed);
}

// Sending.

void LoadConnection::start() noexcept {
  messages_.start();
  if (!context_.is_open_loop()) {
    begin_and_send();
  }
}

void LoadConnection::message_due(sys::TimePoint due) noexcept {
  const bool is_unconnected = is_lost() && context_.window.contains(due);
  context_.tally.due_while_lost += is_unconnected ? 1U : 0U;
  messages_.add_due(due);
  begin_and_send();
}

void LoadConnection::begin_and_send() noexcept {
  begin_messages();
  send_unsent();
  if (state_ == State::open && socket_.is_writable() && counts().unsent_bytes() > 0) {
    context_.loop.enqueue(*this);  // The socket accepted everything, so no OUT will come.
  }
  half_close_if_done();
}

// In mode connect a message begins while the connection is closed, and opens it.
void LoadConnection::begin_messages() noexcept {
  const State needed = is_connect_mode() ? State::closed : State::open;
  const auto may_begin = [&] { return state_ == needed && messages_.may_begin(); };
  if (!may_begin()) {
    return;
  }
  const sys::TimePoint now = sys::MonotonicClock::now();  // Once for all messages that begin now.
  while (may_begin()) {
    if (counts().outstanding() == 0) {
      last_progress_ = context_.loop.now();
    }
    messages_.begin(now);
    if (is_connect_mode()) {
      open();
      return;  // If it failed at once, the next attempt would fail too.
    }
  }
}

void LoadConnection::send_unsent() noexcept {
  std::size_t budget = LoadContext::kTurnBytes;
  while (state_ == State::open && socket_.is_writable() && budget > 0 &&
         counts().unsent_bytes() > 0) {
    const std::span<const std::byte> bytes = messages_.fill_unsent(context_.send_buffer);
    const sys::IoResult sent = socket_.send(bytes);
    if (!sent.ok() && !sent.would_block()) {
      fail(LoadError::reset, "send: " + errno_text(sent.error()));
      return;
    }
    messages_.on_sent(sent.count());
    budget -= std::min(budget, sent.count());
    if (is_connect_mode() && counts().unsent_bytes() == 0) {
      half_close();
    }
  }
}

void LoadConnection::half_close_if_done() noexcept {
  if (state_ == State::open && messages_.are_done()) {
    half_close();
  }
}

void LoadConnection::half_close() noexcept {
  enter(State::half_closed);
  last_progress_ = context_.loop.now();
  socket_.half_close();
}

// Receiving.

void LoadConnection::read() noexcept {
  std::size_t budget = LoadContext::kTurnBytes;
  while (socket_.is_readable() && budget > 0) {
    const std::span<std::byte> buffer =
        std::span(context_.receive_buffer).first(std::min(budget, context_.receive_buffer.size()));
    const sys::StampedRead read = socket_.receive(buffer);
    const sys::IoResult& received = read.result;
    if (received.would_block()) {
      return;
    }
    if (!received.ok() && state_ == State::diagnosing) {
      finish_diagnosis();  // The wrong bytes are the first error.
      return;
    }
    if (!received.ok()) {
      fail(LoadError::reset, "recv: " + errno_text(received.error()));
      return;
    }
    if (received.count() == 0) {
      on_end_of_file();
      return;
    }
    budget -= received.count();
    handle_received(buffer.first(received.count()), read);
  }
}

void LoadConnection::handle_received(std::span<const std::byte> bytes,
                                     const sys::StampedRead& read) noexcept {
  const sys::TimePoint now = context_.loop.now();
  context_.tally.bytes_received += context_.window.contains(now) ? bytes.size() : 0U;
  if (state_ == State::diagnosing) {
    keep_evidence(bytes);
    return;
  }
  last_progress_ = now;
  const std::size_t right = check_.count_right(bytes);
  if (messages_.on_received(right, read) > 0) {
    has_echoed_ = true;
    record_recovery(read.arrived);
  }
  if (right < bytes.size()) {
    enter(State::diagnosing);
    keep_evidence(bytes.subspan(right));
  }
}

void LoadConnection::on_end_of_file() noexcept {
  if (state_ == State::diagnosing) {
    finish_diagnosis();
  } else if (state_ != State::half_closed) {
    fail(LoadError::closed_early,
         "closed by the server, " + bytes_text(counts().owed_bytes()) + " owed");
  } else if (counts().missing_bytes() > 0) {
    fail(LoadError::truncated,
         bytes_text(counts().missing_bytes()) + " missing at the end after our half-close");
  } else {
    messages_.on_end_of_file(sys::MonotonicClock::now());
    close();
    begin_and_send();
  }
}

void LoadConnection::keep_evidence(std::span<const std::byte> bytes) noexcept {
  check_.keep_evidence(bytes);
  if (check_.has_enough()) {
    finish_diagnosis();
  }
}

void LoadConnection::finish_diagnosis() noexcept {
  const Fault fault = check_.take_fault();
  fail_with_detail(fault.error, text_of(fault));
}

// The end of the run.

void LoadConnection::stop() noexcept {
  if (state_ == State::opening && messages_.are_done()) {
    close();
  }
  half_close_if_done();
}

void LoadConnection::give_up_unbegun() noexcept {
  if (messages_.has_unbegun()) {
    messages_.give_up_unbegun();
    stop();
  }
}

void LoadConnection::abandon() noexcept {
  give_up_unbegun();
  if (state_ == State::diagnosing) {
    finish_diagnosis();
  } else if (counts().outstanding() > 0) {
    fail(LoadError::abandoned,
         "the run was over before " + bytes_text(counts().owed_bytes()) + " came back");
  } else if (state_ == State::opening || state_ == State::half_closed) {
    close();
  }
}

// Failures.

void LoadConnection::check_timeouts() noexcept {
  switch (state_) {
    case State::closed:
      if (context_.opening < LoadContext::kMostOpening) {
        reopen();
      }
      begin_and_send();
      break;
    case State::opening:
    case State::open:
    case State::half_closed:
      if (has_waited(context_.plan.timeout)) {
        on_timeout();
      } else if (!socket_.is_open()) {
        connect();
      }
      break;
    case State::diagnosing:
      if (has_waited(kEvidenceTime)) {
        finish_diagnosis();
      }
      break;
  }
}

bool LoadConnection::has_waited(sys::Duration time) const noexcept {
  return context_.loop.now() - last_progress_ >= time;
}

void LoadConnection::on_timeout() noexcept {
  if (state_ == State::opening) {
    fail(LoadError::connect_timeout,
         socket_.is_open() ? "no answer to connect" : "the server's accept queue stayed full");
  } else if (state_ == State::half_closed && counts().missing_bytes() == 0) {
    fail(LoadError::no_end, "no end of file after our half-close");
  } else if (counts().outstanding() > 0) {
    fail(LoadError::stalled, "stalled: " + bytes_text(counts().owed_bytes()) + " never came back");
  }
}

void LoadConnection::fail_to_open(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
      fail(LoadError::refused, "refused: no server listens");
      break;
    case ETIMEDOUT:
      fail(LoadError::connect_timeout, "no answer to connect");
      break;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
      fail(LoadError::no_local_port,
           "all local ports are in use: give more addresses with --source");
      break;
    case sys::kConnectedToItself:
      fail(LoadError::to_itself, sys::connect_error_text(error));
      break;
    default:
      fail(LoadError::connect_failed, "cannot connect: " + errno_text(error));
      break;
  }
}

void LoadConnection::fail(LoadError error, const std::string& what) noexcept {
  fail_with_detail(error, "connection " + std::to_string(counts().connection()) + ": " + what);
}

void LoadConnection::fail_with_detail(LoadError error, const std::string& detail) noexcept {
  if (!is_lost() || is_mismatch(error)) {
    context_.tally.count(error, detail);
  }
  if (error != LoadError::abandoned && !messages_.are_done()) {
    record_loss();
  }
  messages_.fail_outstanding();
  socket_.reset();
  enter(State::closed);
}

void LoadConnection::record_loss() noexcept {
  if (is_connect_mode() || is_lost()) {
    return;
  }
  lost_at_ = sys::MonotonicClock::now();
  ++context_.tally.lost;
  if (has_echoed_) {
    context_.lost_slots.push_back(slot_);
  }
}

void LoadConnection::record_recovery(sys::TimePoint moment) noexcept {
  if (is_lost()) {
    context_.tally.outage.record(moment - lost_at_);
    lost_at_ = {};
  }
}

void LoadConnection::reopen() noexcept {
  if (context_.is_ready && state_ == State::closed && is_lost() && !messages_.are_done()) {
    open();
  }
}

}  // namespace echod::client
