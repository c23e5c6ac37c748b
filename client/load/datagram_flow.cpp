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
    : context_(context), number_(number), slot_(slot), format_(context.plan.seed) {}

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
  const bool is_done = context_.is_stopping && window_.outstanding() == 0 && due_.empty();
  if (state_ == State::open && is_done) {
    state_ = State::lingering;
    ++context_.half_closed;
    lingers_until_ = context_.loop.now() + kLingerTime;
  }
}

// Sending.

void DatagramFlow::start() noexcept {
  is_started_ = true;
  if (!context_.is_open_loop()) {
    send_datagrams();
  }
}

void DatagramFlow::message_due(sys::TimePoint due) noexcept {
  due_.push_back(due);
  ++context_.unbegun;
  send_datagrams();
}

std::uint32_t DatagramFlow::next_count() const noexcept {
  if (state_ != State::open || !is_started_ || !is_writable_ || slot_ >= context_.active) {
    return 0;
  }
  if (context_.is_open_loop()) {
    return due_.empty() ? 0 : 1;
  }
  const std::uint32_t burst = context_.plan.burst;
  const bool has_room = window_.outstanding() + burst <= context_.plan.depth;
  return has_room && !context_.is_stopping ? burst : 0;
}

void DatagramFlow::send_datagrams() noexcept {
  for (std::uint32_t sent = 0; sent < kTurnDatagrams;) {
    const std::uint32_t count = next_count();
    if (count == 0 || !send(count)) {
      linger_if_done();
      return;
    }
    sent += count;
  }
  context_.loop.enqueue(*this);  // Others go first; no event would come.
}

bool DatagramFlow::send(std::uint32_t count) noexcept {
  if (count > 1 && sends_trains_) {
    if (send_train(count)) {
      return true;
    }
    if (sends_trains_) {
      return false;  // Only later.
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
  const std::size_t size = size_of(0);  // All are of one size (command_line.cpp).
  const std::span<std::byte> train = std::span(context_.send_buffer).first(count * size);
  for (std::uint32_t i = 0; i < count; ++i) {
    format_.fill(train.subspan(i * size, size), {.socket = number_, .number = window_.next() + i});
  }
  const sys::TimePoint begun = sys::MonotonicClock::now();
  const sys::IoResult sent = transmit(train);
  if (sent.ok()) {
    for (std::uint32_t i = 0; i < count; ++i) {
      record_sent(begun, size);
    }
    return true;
  }
  if (is_refused_train(sent.error())) {
    sends_trains_ = !socket_.set_segment(0);
  } else if (!sent.would_block()) {
    count_network_error("send", sent.error());
  }
  return false;
}

bool DatagramFlow::send_one() noexcept {
  const std::uint64_t number = window_.next();
  const std::span<std::byte> bytes = std::span(context_.send_buffer).first(size_of(number));
  format_.fill(bytes, {.socket = number_, .number = number});
  const sys::TimePoint begun = sys::MonotonicClock::now();
  const sys::IoResult sent = transmit(bytes);
  if (sent.ok()) {
    record_sent(begun, bytes.size());
    return true;
  }
  if (sent.would_block()) {
    return false;
  }
  count_network_error("send", sent.error());
  if (!context_.is_open_loop()) {
    return false;  // check_timeouts() tries again.
  }
  give_up_due(due_.front());
  due_.pop_front();
  --context_.unbegun;
  return true;
}

// The kernel may report that an earlier datagram was refused. Then it did not send these bytes, so
// they are sent again.
sys::IoResult DatagramFlow::transmit(std::span<const std::byte> bytes) noexcept {
  sys::IoResult sent = sys::send(socket_.fd(), bytes);
  if (sent.error() == ECONNREFUSED) {
    count_network_error("send", sent.error());
    sent = sys::send(socket_.fd(), bytes);
  }
  is_writable_ = !sent.would_block();
  return sent;
}

void DatagramFlow::record_sent(sys::TimePoint begun, std::size_t bytes) noexcept {
  DatagramTimes times{.start = begun, .sent = begun};
  if (context_.is_open_loop()) {
    times.start = due_.front();
    due_.pop_front();
    --context_.unbegun;
  }
  window_.add(times);
  context_.silence.on_sent(begun);
  ++context_.in_flight;
  ++context_.tally.datagrams.sent;
  context_.tally.bytes_sent += context_.window.contains(context_.loop.now()) ? bytes : 0U;
}

std::size_t DatagramFlow::size_of(std::uint64_t number) const noexcept {
  return context_.plan.sizes.size_of(number_, number);
}

// Answers.

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
    const sys::StampedRead read = sys::receive_stamped(socket_.fd(), buffer);
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
                                            stray.sender.text() + ", which was not asked");
  }
  return Turn::again;
}

void DatagramFlow::handle_datagram(std::span<const std::byte> bytes,
                                   const sys::StampedRead& read) noexcept {
  const bool is_measured = context_.window.contains(context_.loop.now());
  context_.tally.bytes_received += is_measured ? bytes.size() : 0U;
  const auto id = format_.id_of(bytes);
  if (!id) {
    count_error(LoadError::corrupted,
                bytes_text(bytes.size()) + " that are no datagram of this run: " + preview(bytes));
  } else if (id->socket != number_) {
    count_error(LoadError::crossed, "got datagram " + std::to_string(id->number) + " of socket " +
                                        std::to_string(id->socket));
  } else {
    handle_own(id->number, bytes, read);
  }
  linger_if_done();
}

void DatagramFlow::handle_own(std::uint64_t number, std::span<const std::byte> bytes,
                              const sys::StampedRead& read) noexcept {
  DatagramWindow::Answer answer = window_.on_answer(number);
  if (answer.meaning == DatagramWindow::Meaning::answer &&
      read.arrived - answer.times.sent > context_.plan.timeout) {
    record_lost(answer.times);  // It arrived before check_timeouts() could give it up.
    answer = {.meaning = DatagramWindow::Meaning::late};
  }
  const bool is_answer = answer.meaning == DatagramWindow::Meaning::answer;
  context_.in_flight -= is_answer ? 1U : 0U;
  if (answer.meaning == DatagramWindow::Meaning::unknown) {
    count_error(LoadError::unsolicited,
                "got datagram " + std::to_string(number) + ", which was not sent yet");
    return;
  }
  const std::size_t size = size_of(number);
  const std::size_t right = format_.count_matching(bytes, {.socket = number_, .number = number});
  if (bytes.size() != size || right < size) {
    const std::string what = bytes.size() == size ? "byte " + std::to_string(right) + " is wrong"
                                                  : bytes_text(bytes.size()) +
                                                        " came back, sent were " + bytes_text(size);
    count_error(LoadError::corrupted, "datagram " + std::to_string(number) + ": " + what);
    if (is_answer) {
      record_failure(answer.times.start);
    }
    return;
  }
  DatagramCounts& counts = context_.tally.datagrams;
  counts.duplicated += answer.meaning == DatagramWindow::Meaning::duplicate ? 1U : 0U;
  counts.late += answer.meaning == DatagramWindow::Meaning::late ? 1U : 0U;
  counts.reordered += answer.is_reordered ? 1U : 0U;
  if (is_answer) {
    record_answer(answer.times, read);
  }
}

void DatagramFlow::record_answer(const DatagramTimes& times,
                                 const sys::StampedRead& read) noexcept {
  context_.record_latency(times.start, read.arrived - times.start);
  if (!context_.window.contains(read.arrived)) {
    return;
  }
  ++context_.tally.echoes;
  if (StepTally* const step = context_.step_at(read.arrived); step != nullptr) {
    ++step->echoes;
  }
  context_.tally.receive_lag.record(read.read - read.arrived);
}

// Failures.

// A datagram without an answer is no fast answer: it counts as the timeout at least.
void DatagramFlow::record_failure(sys::TimePoint start) noexcept {
  const sys::TimePoint until = std::max(context_.loop.now(), start + context_.plan.timeout);
  context_.record_latency(start, until - start);
}

void DatagramFlow::record_lost(const DatagramTimes& times) noexcept {
  --context_.in_flight;
  ++context_.tally.datagrams.lost;
  context_.silence.on_lost(times.sent + context_.plan.timeout);
  context_.tally.silence = context_.silence.longest();
  record_failure(times.start);
}

// An answer that arrived in time may wait in the receive queue, also if no event has told of it
// yet. Answers are read in the order of their arrival, so datagrams are given up only as far as the
// reading has come.
void DatagramFlow::give_up_lost() noexcept {
  sys::TimePoint sent_by = context_.loop.now() - context_.plan.timeout;
  if (!window_.has_sent_by(sent_by)) {
    return;
  }
  is_readable_ = true;
  read();
  if (is_readable_) {
    sent_by = std::min(sent_by, last_arrival_ - context_.plan.timeout - sys::Duration(1));
    context_.loop.enqueue(*this);
  }
  while (const auto lost = window_.give_up_sent_by(sent_by)) {
    record_lost(*lost);
  }
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

void DatagramFlow::give_up_due(sys::TimePoint due) noexcept {
  context_.tally.not_sent += context_.window.contains(due) ? 1U : 0U;
  record_failure(due);
}

void DatagramFlow::stop() noexcept {
  linger_if_done();
}

void DatagramFlow::give_up_unbegun() noexcept {
  for (const sys::TimePoint due : due_) {
    give_up_due(due);
  }
  context_.unbegun -= due_.size();
  due_.clear();
  stop();
}

void DatagramFlow::abandon() noexcept {
  give_up_unbegun();
  if (window_.outstanding() > 0) {
    count_error(LoadError::abandoned, "the run was over before " +
                                          std::to_string(window_.outstanding()) +
                                          " datagrams came back");
  }
  while (const auto left = window_.give_up_sent_by(sys::TimePoint::max())) {
    --context_.in_flight;
    record_failure(left->start);
  }
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
