#include "client/load/load_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/stream/origin.hpp"
#include "client/sys/client_socket.hpp"
#include "client/sys/local_connection.hpp"
#include "client/text/figures.hpp"
#include "sys/stream_socket.hpp"

namespace echod::client {

namespace {

constexpr std::uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
// After these events a short read does not mean that the socket is empty.
constexpr std::uint32_t kReadOnEvents = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

LoadConnection::LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot)
    : context_(context),
      number_(number),
      slot_(slot),
      messages_(context.plan.sizes, number),
      times_(slot < context.active ? context.plan.depth : 0) {}

LoadConnection::~LoadConnection() {
  context_.loop.remove(*this);
}

// Opening.

void LoadConnection::open() noexcept {
  enter(State::opening);
  // Before connect(2): on loopback most of the handshake happens inside that call.
  last_progress_ = sys::MonotonicClock::now();
  connect();
}

sys::ConnectResult LoadConnection::open_socket() const noexcept {
  const Endpoint& server = context_.plan.server;
  if (server.is_local()) {
    sys::LocalConnection connection = sys::connect_local(server.path());
    return {.fd = std::move(connection.fd), .error = connection.error};
  }
  const auto& sources = context_.plan.sources;
  return sys::open_connection(
      server.address(),
      sources.empty() ? std::nullopt : std::optional(sources[number_ % sources.size()]));
}

void LoadConnection::connect() noexcept {
  sys::ConnectResult opened = open_socket();
  if (opened.error == EAGAIN && context_.plan.server.is_local()) {
    return;
  }
  fd_ = std::move(opened.fd);
  if (!fd_.is_open()) {
    fail_to_open(opened.error);
    return;
  }
  if (measures_arrivals()) {
    sys::stamp_arrivals(fd_.get());
  }
  const sys::IoResult added = context_.loop.add(*this, fd_.get(), kInterest);
  if (!added.ok()) {
    fail_to_open(added.error());
  } else if (opened.error == 0) {
    on_opened(sys::MonotonicClock::now());
    begin_and_send();
  }
}

void LoadConnection::on_opened(sys::TimePoint moment) noexcept {
  enter(State::open);
  is_readable_ = false;
  is_writable_ = true;
  reads_until_eagain_ = has_received_ = has_echoed_ = false;
  if (!is_connect_mode() || context_.window.contains(times_.latency_start(messages_.answered()))) {
    context_.tally.connect.record(moment - last_progress_);
  }
  if (slot_ >= context_.active) {
    record_recovery(moment);
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

// Messages.

void LoadConnection::start() noexcept {
  is_started_ = true;
  if (!context_.is_open_loop()) {
    begin_and_send();
  }
}

void LoadConnection::message_due(sys::TimePoint due) noexcept {
  const bool is_unconnected = is_lost() && context_.window.contains(due);
  context_.tally.unconnected += is_unconnected ? 1U : 0U;
  times_.add_due(messages_.answered(), due);
  ++context_.unbegun;
  begin_and_send();
}

void LoadConnection::begin_and_send() noexcept {
  begin_messages();
  send_unsent();
  if (state_ == State::open && is_writable_ && messages_.unsent_bytes() > 0) {
    context_.loop.enqueue(*this);  // The socket accepted everything, so no OUT will come.
  }
  half_close_if_done();
}

// Half-closes if no more messages will begin and everything has come back.
void LoadConnection::half_close_if_done() noexcept {
  if (state_ == State::open && !should_be_open() && messages_.outstanding() == 0) {
    half_close();
  }
}

void LoadConnection::half_close() noexcept {
  enter(State::half_closed);
  last_progress_ = context_.loop.now();
  (void)sys::shut_write(fd_.get());  // On failure, recv(2) returns the error.
}

bool LoadConnection::may_begin() const noexcept {
  const bool is_due = context_.is_open_loop() ? has_unbegun() : !context_.is_stopping;
  if (!is_started_ || !is_due) {
    return false;
  }
  return is_connect_mode() ? state_ == State::closed
                           : state_ == State::open && messages_.outstanding() < context_.plan.depth;
}

void LoadConnection::begin_messages() noexcept {
  while (may_begin()) {
    begin_message();
    if (is_connect_mode()) {
      open();
      return;  // If it failed at once, the next attempt would fail too.
    }
  }
}

void LoadConnection::begin_message() noexcept {
  if (messages_.outstanding() == 0) {
    last_progress_ = context_.loop.now();
  }
  times_.set_begun(messages_.begun(), sys::MonotonicClock::now());
  context_.unbegun -= context_.is_open_loop() ? 1U : 0U;
  messages_.begin();
  ++context_.in_flight;
}

void LoadConnection::send_unsent() noexcept {
  std::size_t budget = LoadContext::kTurnBytes;
  while (state_ == State::open && is_writable_ && budget > 0) {
    const std::span<std::byte> piece =
        std::span(context_.send_buffer)
            .first(std::min<std::uint64_t>(messages_.unsent_bytes(), context_.send_buffer.size()));
    if (piece.empty()) {
      return;
    }
    stream().fill(piece, messages_.sent());
    const sys::IoResult sent = sys::send(fd_.get(), piece);
    if (!sent.ok() && !sent.would_block()) {
      fail(LoadError::reset, "send: " + errno_text(sent.error()));
      return;
    }
    messages_.on_sent(sent.count());
    is_writable_ = sent.count() == piece.size();
    budget -= std::min(budget, sent.count());
    context_.tally.bytes_sent += context_.window.contains(context_.loop.now()) ? sent.count() : 0U;
    if (is_connect_mode() && messages_.unsent_bytes() == 0) {
      half_close();
    }
  }
}

// Answers.

Turn LoadConnection::on_turn(std::uint32_t events) noexcept {
  if (state_ == State::opening) {
    if (const int error = sys::connect_error(fd_.get()); error != 0) {
      fail_to_open(error);
      return Turn::wait;
    }
    if ((events & EPOLLOUT) == 0) {
      return Turn::wait;
    }
    on_opened(context_.loop.now());
  }
  reads_until_eagain_ = reads_until_eagain_ || (events & kReadOnEvents) != 0;
  is_readable_ = is_readable_ || (events & (EPOLLIN | kReadOnEvents)) != 0;
  is_writable_ = is_writable_ || (events & EPOLLOUT) != 0;
  if (is_readable_) {
    read();
  }
  if (state_ == State::closed) {
    return Turn::wait;  // It ended or failed. check_timeouts() opens it again if it is needed.
  }
  begin_and_send();
  return is_readable_ ? Turn::again : Turn::wait;
}

void LoadConnection::read() noexcept {
  std::size_t budget = LoadContext::kTurnBytes;
  while (is_readable_ && budget > 0) {
    const std::span<std::byte> buffer =
        std::span(context_.receive_buffer).first(std::min(budget, context_.receive_buffer.size()));
    const sys::StampedRead read = receive(buffer);
    const sys::IoResult& received = read.result;
    if (received.would_block()) {
      is_readable_ = reads_until_eagain_ = false;
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
    // On a UNIX socket a message with descriptors ends a read early (unix(7)).
    is_readable_ =
        received.count() == buffer.size() || reads_until_eagain_ || context_.plan.server.is_local();
    handle_received(buffer.first(received.count()), read);
  }
}

// Kernel time stamps cost a little, so only mode echo asks for them. The latency of mode connect
// ends with the end of file, which has no time stamp. Mode stream has no latency. UNIX stream
// sockets have no time stamps.
bool LoadConnection::measures_arrivals() const noexcept {
  return context_.plan.mode == LoadMode::echo && !context_.plan.server.is_local();
}

sys::StampedRead LoadConnection::receive(std::span<std::byte> into) const noexcept {
  if (measures_arrivals()) {
    return sys::receive_stamped(fd_.get(), into);
  }
  const sys::IoResult received = sys::receive(fd_.get(), into);
  const sys::TimePoint now = sys::MonotonicClock::now();
  return {.result = received, .arrived = now, .read = now};
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
  const auto owed = std::min<std::uint64_t>(bytes.size(), messages_.owed_bytes());
  const std::size_t right = stream().count_matching(bytes.first(owed), messages_.received());
  messages_.on_received(right);
  if (!is_connect_mode()) {
    record_answers(read);
  } else if (right > 0 && !std::exchange(has_received_, true)) {
    record_first_byte(read.arrived);
  }
  if (right < bytes.size()) {
    enter(State::diagnosing);
    evidence_ = std::make_unique<std::vector<std::byte>>();
    keep_evidence(bytes.subspan(right));
  }
}

void LoadConnection::record_first_byte(sys::TimePoint moment) noexcept {
  const std::uint64_t message = messages_.answered();
  if (context_.window.contains(times_.latency_start(message))) {
    context_.tally.first_byte.record(moment - times_.begun(message));
  }
}

void LoadConnection::record_answers(const sys::StampedRead& read) noexcept {
  const std::uint64_t first = messages_.answered();
  for (std::uint64_t message = first; messages_.count_answer(); ++message) {
    --context_.in_flight;
    record_latency(message, read.arrived);
    record_service(message, read.arrived);
  }
  const std::uint64_t answers = messages_.answered() - first;
  if (answers == 0) {
    return;
  }
  has_echoed_ = true;
  record_recovery(read.arrived);
  if (context_.window.contains(read.arrived)) {
    context_.tally.echoes += answers;
    if (StepTally* const step = context_.step_at(read.arrived); step != nullptr) {
      step->echoes += answers;
    }
    if (measures_arrivals()) {
      context_.tally.receive_lag.record(read.read - read.arrived, answers);
    }
  }
}

// The service time limits the rate that a number of connections can reach (verdict.hpp).
void LoadConnection::record_service(std::uint64_t message, sys::TimePoint until) noexcept {
  if (!context_.is_open_loop() || !context_.window.contains(until)) {
    return;
  }
  const ServiceTime one{.messages = 1, .total = until - times_.begun(message)};
  context_.tally.service.add(one);
  if (StepTally* const step = context_.step_at(until); step != nullptr) {
    step->service.add(one);
  }
}

// Mode stream has no latency: its messages wait for each other.
void LoadConnection::record_latency(std::uint64_t message, sys::TimePoint until) noexcept {
  if (context_.plan.mode != LoadMode::stream) {
    const sys::TimePoint start = times_.latency_start(message);
    context_.record_latency(start, until - start);
  }
}

// Failures are no fast answers: each counts as the timeout at least.
void LoadConnection::record_failure(std::uint64_t message) noexcept {
  record_latency(message, std::max(context_.loop.now(),
                                   times_.latency_start(message) + context_.plan.timeout));
}

void LoadConnection::on_end_of_file() noexcept {
  if (state_ == State::diagnosing) {
    finish_diagnosis();
    return;
  }
  if (state_ != State::half_closed) {
    fail(LoadError::closed_early,
         "closed by the server, " + bytes_text(messages_.owed_bytes()) + " owed");
  } else if (missing_bytes() > 0) {
    fail(LoadError::truncated,
         bytes_text(missing_bytes()) + " missing at the end after our half-close");
  } else {
    const sys::TimePoint now = sys::MonotonicClock::now();
    record_answers({.result = sys::IoResult::of(0), .arrived = now, .read = now});
    close();
    begin_and_send();
  }
}

// Failures.

void LoadConnection::keep_evidence(std::span<const std::byte> bytes) noexcept {
  const std::size_t free_bytes = kEvidenceBytes - std::min(kEvidenceBytes, evidence_->size());
  const auto kept = bytes.first(std::min(bytes.size(), free_bytes));
  evidence_->insert(evidence_->end(), kept.begin(), kept.end());
  if (evidence_->size() >= evidence_bytes_needed(messages_.owed_bytes())) {
    finish_diagnosis();
  }
}

void LoadConnection::finish_diagnosis() noexcept {
  const Fault fault = identify({.connection = number_,
                                .offset = messages_.received(),
                                .sent = messages_.sent(),
                                .bytes = *evidence_},
                               context_.plan.connections, context_.plan.seed);
  fail_with_detail(fault.error, text_of(fault));
}

void LoadConnection::fail(LoadError error, const std::string& what) noexcept {
  fail_with_detail(error, "connection " + std::to_string(number_) + ": " + what);
}

void LoadConnection::fail_with_detail(LoadError error, const std::string& detail) noexcept {
  if (!is_lost() || is_mismatch(error)) {
    context_.tally.count(error, detail);
  }
  if (error != LoadError::abandoned && (should_be_open() || messages_.outstanding() > 0)) {
    record_loss();
  }
  for (std::uint64_t message = messages_.answered(); message < messages_.begun(); ++message) {
    record_failure(message);
  }
  if (fd_.is_open()) {
    sys::reset_on_close(fd_.get());
  }
  close();
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
  if (state_ == State::closed && is_lost() && should_be_open()) {
    open();
  }
}

void LoadConnection::close() noexcept {
  context_.in_flight -= messages_.outstanding();
  messages_.abandon();
  context_.loop.remove(*this);
  record_tcp_figures();
  fd_.reset();
  evidence_.reset();
  is_readable_ = is_writable_ = false;
  enter(State::closed);
}

void LoadConnection::record_tcp_figures() noexcept {
  const auto figures = fd_.is_open() ? sys::tcp_figures(fd_.get()) : std::nullopt;
  if (figures) {
    context_.tally.retransmissions += figures->retransmissions;
  }
  if (figures && figures->round_trip > sys::Duration(0)) {
    context_.tally.round_trip.record(figures->round_trip);
  }
}

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

void LoadConnection::stop() noexcept {
  if (state_ == State::opening && messages_.outstanding() == 0 && !should_be_open()) {
    close();
  }
  half_close_if_done();
}

void LoadConnection::give_up_unbegun() noexcept {
  if (!has_unbegun()) {
    return;
  }
  for (std::uint64_t message = messages_.begun(); message < times_.due_count(); ++message) {
    context_.tally.not_sent += context_.window.contains(times_.latency_start(message)) ? 1U : 0U;
    record_failure(message);
  }
  context_.unbegun -= times_.due_count() - messages_.begun();
  times_.drop_due_from(messages_.begun());
  stop();
}

void LoadConnection::abandon() noexcept {
  give_up_unbegun();
  if (state_ == State::diagnosing) {
    finish_diagnosis();
  } else if (messages_.outstanding() > 0) {
    fail(LoadError::abandoned,
         "the run was over before " + bytes_text(messages_.owed_bytes()) + " came back");
  } else if (state_ == State::opening || state_ == State::half_closed) {
    close();
  }
}

void LoadConnection::on_timeout() noexcept {
  if (state_ == State::opening) {
    fail(LoadError::connect_timeout,
         fd_.is_open() ? "no answer to connect" : "the server's accept queue stayed full");
  } else if (state_ == State::half_closed && missing_bytes() == 0) {
    fail(LoadError::no_end, "no end of file after our half-close");
  } else if (messages_.outstanding() > 0) {
    fail(LoadError::stalled, "stalled: " + bytes_text(messages_.owed_bytes()) + " never came back");
  }
}

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
      } else if (!fd_.is_open()) {
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

bool LoadConnection::has_waited(std::chrono::nanoseconds time) const noexcept {
  return context_.loop.now() - last_progress_ >= time;
}

}  // namespace echod::client
