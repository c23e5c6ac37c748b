#include "client/check/check_peer.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "client/sys/local_connection.hpp"
#include "client/text/figures.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::client {

namespace {

// With these values the kernels hold 47 to 83 KiB on the way back (measured), also over loopback.
// Without them they hold more than 4 MiB there, because a segment has 64 KiB.
constexpr sys::ReceiveBuffering kSmallBuffers{.buffer_bytes = 4096, .segment_bytes = 1448};

}  // namespace

CheckPeer::CheckPeer(CheckContext& context, PeerOptions options)
    : context_(context),
      number_(context.next_connection_number()),
      payload_(number_, std::move(options.text), context.plan().seed) {
  connect(options.has_small_buffers);
}

sys::ConnectResult CheckPeer::open(bool has_small_buffers) const {
  const CheckPlan& plan = context_.plan();
  if (plan.server.is_local()) {
    sys::LocalConnection opened = sys::connect_local_within(plan.server.path(), plan.timeout);
    return {.fd = std::move(opened.fd), .error = opened.error};
  }
  return sys::connect_within(plan.server.address(), std::nullopt, plan.timeout,
                             has_small_buffers ? kSmallBuffers : sys::ReceiveBuffering{});
}

void CheckPeer::connect(bool has_small_buffers) {
  sys::ConnectResult opened = open(has_small_buffers);
  if (opened.error != 0) {
    trace("cannot connect");
    throw_if_local_shortage(opened.error);
    throw CannotConnect(name() + ": cannot connect to " + context_.plan().server.text() + ": " +
                        sys::connect_error_text(opened.error));
  }
  fd_ = std::move(opened.fd);
  trace("connected");
}

// Sending.

bool CheckPeer::send_unread(std::uint64_t bytes, sys::Duration patience) {
  planned_ += bytes;
  while (sent_ < planned_) {
    if (!send_some(sys::send) && !is_ready(POLLOUT, patience)) {
      trace("blocked with " + bytes_text(planned_ - sent_) + " unsent");
      return false;
    }
  }
  return true;
}

void CheckPeer::send(std::uint64_t bytes) {
  planned_ += bytes;
  pump(false);
}

void CheckPeer::send_with_fin(std::uint64_t bytes) {
  planned_ += bytes;
  while (sent_ < planned_) {
    if (!send_some(sys::send_more)) {
      (void)wait(POLLOUT);  // Throws if it is not ready in time.
    }
  }
  half_close();
}

bool CheckPeer::send_some(SendCall call) {
  const std::uint64_t size = std::min<std::uint64_t>(planned_ - sent_, context_.buffer().size());
  const std::span<std::byte> bytes = context_.buffer().first(size);
  payload_.fill(bytes, sent_);
  const sys::IoResult result = call(fd_.get(), bytes);
  if (result.would_block()) {
    return false;
  }
  if (!result.ok()) {
    fail_to_send(result.error());
  }
  sent_ += result.count();
  trace("sent", bytes.first(result.count()));
  return true;
}

void CheckPeer::half_close() {
  if (std::exchange(is_half_closed_, true)) {
    return;
  }
  if (const sys::IoResult result = sys::shut_write(fd_.get()); !result.ok()) {
    fail_to_send(result.error());
  }
  trace("half-closed");
}

bool CheckPeer::has_fin_arrived() const {
  const sys::IoResult left = sys::unacknowledged_bytes(fd_.get());
  return is_half_closed_ && left.ok() && left.count() == 0;
}

void CheckPeer::expect_no_more_on(std::span<CheckPeer> peers) {
  // A server that closes after the FIN ends the wait.
  constexpr std::chrono::milliseconds kSurplusTime{500};
  for (CheckPeer& peer : peers) {
    peer.half_close();
  }
  const sys::TimePoint end = sys::MonotonicClock::now() + kSurplusTime;
  for (CheckPeer& peer : peers) {
    (void)(peer.is_ready(POLLIN, end - sys::MonotonicClock::now()) && peer.receive_some());
  }
}

void CheckPeer::reset() {
  sys::reset_on_close(fd_.get());
  fd_.reset();
  trace("reset");
}

// Receiving.

void CheckPeer::exchange(std::uint64_t bytes) {
  planned_ += bytes;
  pump(true);
}

void CheckPeer::await_all_echoes() {
  pump(true);
}

void CheckPeer::pump(bool until_all_is_back) {
  while (sent_ < planned_ || (until_all_is_back && received_ < planned_)) {
    const short ready = wait(sent_ < planned_ ? POLLIN | POLLOUT : POLLIN);
    if ((ready & POLLOUT) != 0 && sent_ < planned_) {
      (void)send_some(sys::send);  // The rest is sent at the next POLLOUT.
    }
    if ((ready & ~POLLOUT) != 0) {
      (void)receive_some();  // More is read at the next POLLIN.
    }
    if (has_ended_) {
      fail(" closed " + progress_text());
    }
  }
}

void CheckPeer::expect_end() {
  pump(false);
  half_close();
  pump(true);
  while (!has_ended_) {
    if (!is_ready(POLLIN, context_.plan().timeout)) {
      const std::string received = "all " + bytes_text(received_) + " came back";
      fail(": no end of file for " + duration_text(context_.plan().timeout) +
           " after our own, though " + (received_ == 0 ? "nothing is owed" : received));
    }
    (void)receive_some();  // Throws if it gets bytes.
  }
}

bool CheckPeer::receive_some() {
  const sys::IoResult result = sys::receive(fd_.get(), context_.buffer());
  if (result.would_block()) {
    return false;
  }
  if (result.error() == ECONNRESET) {
    trace("reset by the server");
    fail(" reset " + progress_text());
  }
  if (!result.ok()) {
    throw_if_local_shortage(result.error());
    fail(" failed " + progress_text() + ": " + errno_text(result.error()));
  }
  if (result.count() == 0) {
    has_ended_ = true;
    trace("end of file");
    return false;
  }
  handle_received(context_.buffer().first(result.count()));
  return true;
}

void CheckPeer::handle_received(std::span<const std::byte> bytes) {
  trace("received", bytes);
  const auto owed = std::min<std::uint64_t>(bytes.size(), sent_ - received_);
  const std::size_t right = payload_.count_matching(bytes.first(owed), received_);
  received_ += right;
  if (right < bytes.size()) {
    fail_with_mismatch(bytes.subspan(right));
  }
}

// Waiting.

short CheckPeer::wait(short events) const {
  const auto timeout = context_.plan().timeout;
  const short ready = sys::wait_ready(fd_.get(), events, sys::MonotonicClock::now() + timeout);
  if (ready == 0) {
    fail(": nothing for " + duration_text(timeout) + ", " + bytes_text(planned_ - received_) +
         " missing");
  }
  return ready;
}

bool CheckPeer::is_ready(short events, sys::Duration patience) const {
  return sys::wait_ready(fd_.get(), events, sys::MonotonicClock::now() + patience) != 0;
}

// Failures.

void CheckPeer::throw_if_local_shortage(int error) const {
  constexpr std::array kOwn{EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL};
  if (std::ranges::find(kOwn, error) != kOwn.end()) {
    throw std::system_error(error, std::system_category(), name() + ": echoload's own host");
  }
}

// Reads what came back before the error, so that it counts.
void CheckPeer::fail_to_send(int error) {
  trace("cannot send: " + errno_text(error));
  throw_if_local_shortage(error);
  while (receive_some()) {
  }
  // EPIPE: the server closed before it reset (tcp_reset() in the kernel, state CLOSE_WAIT).
  fail((error == EPIPE ? " closed " : " reset ") + progress_text());
}

void CheckPeer::fail_with_mismatch(std::span<const std::byte> wrong) {
  std::vector<std::byte> evidence(wrong.begin(), wrong.end());
  const std::size_t enough = evidence_bytes_needed(sent_ - received_);
  const sys::TimePoint end = sys::MonotonicClock::now() + kEvidenceTime;
  while (evidence.size() < enough && is_ready(POLLIN, end - sys::MonotonicClock::now())) {
    const sys::IoResult result = sys::receive(fd_.get(), context_.buffer());
    if (result.count() == 0) {
      break;
    }
    const std::span<std::byte> more = context_.buffer().first(result.count());
    trace("received", more);
    evidence.insert(evidence.end(), more.begin(), more.end());
  }
  throw CheckFailure(payload_.fault_text(
      {.connection = number_, .offset = received_, .sent = sent_, .bytes = evidence},
      context_.streams()));
}

void CheckPeer::fail(const std::string& what) const {
  throw CheckFailure(name() + what);
}

std::string CheckPeer::name() const {
  return "connection " + std::to_string(number_);
}

std::string CheckPeer::progress_text() const {
  return "after " + std::to_string(received_) + " of " + bytes_text(planned_);
}

void CheckPeer::trace(const std::string& event, std::span<const std::byte> bytes) const {
  if (!context_.is_traced()) {
    return;
  }
  std::string text = name() + ": " + event;
  if (!bytes.empty()) {
    text += ' ' + bytes_text(bytes.size()) + ' ' + preview(bytes);
  }
  context_.trace(text);
}

}  // namespace echod::client
