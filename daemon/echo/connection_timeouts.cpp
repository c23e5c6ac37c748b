// What ends a connection that makes no progress.
#include <utility>

#include "connection.hpp"
#include "echo_context.hpp"
#include "stream_socket.hpp"

namespace echod {

namespace {

// `passed` was measured between two ticks that are rounded down, so it may be a tick too long.
bool is_over(std::chrono::milliseconds timeout, std::chrono::milliseconds passed) noexcept {
  return passed >= timeout + Connection::kTick;
}
bool is_over_if_set(std::chrono::milliseconds timeout, std::chrono::milliseconds passed) noexcept {
  return timeout.count() > 0 && is_over(timeout, passed);
}

}  // namespace

void Connection::check_timeouts() noexcept {
  const TimeoutsConfig& timeouts = context_.settings.timeouts;
  switch (state_) {
    case State::echoing:
      if (awaits_acknowledgement() && is_over_if_set(timeouts.stalled_write, since_progress())) {
        time_out(CloseReason::stalled_write);
      } else if (is_over_if_set(timeouts.idle, since_progress())) {
        end_idleness();
      }
      break;
    case State::flushing:
    case State::delivering:
      (void)awaits_acknowledgement();  // For the progress that it notes: bytes are owed anyway.
      close_if_nothing_is_taken();
      break;
    case State::lingering:
      if (awaits_acknowledgement()) {
        // A peer that still takes its tail is not asked for its FIN yet.
        close_if_nothing_is_taken();
      } else if (is_over(timeouts.linger, since_progress())) {
        close(CloseReason::linger_timeout);
      }
      break;
    case State::closed:
      return;
  }
  if (bulk_.pins > 0) {
    context_.relay.count_pins(fd_.get(), reply_ != nullptr ? reply_->size() : 0, bulk_);
  }
}

// A connection that is owed bytes reads none, so it cannot see whether its peer sends.
void Connection::close_if_nothing_is_taken() noexcept {
  if (is_over_if_set(context_.settings.timeouts.stalled_write, since_progress())) {
    time_out(CloseReason::stalled_write);
  } else if (is_over_if_set(context_.settings.timeouts.idle, since_progress())) {
    time_out(CloseReason::idle_timeout);
  }
}

// The kernel would keep what a peer does not take for minutes, of a connection that no limit of
// ours counts any more; and a FIN would say that this was all.
void Connection::time_out(CloseReason reason) noexcept {
  if (unacknowledged_ != 0 || reply_ != nullptr) {
    sys::reset_on_close(fd_.get());
  }
  close(reason);
}

// The peer is not idle if it was we who did not run (SIGSTOP, a paused machine): its bytes may be
// here though their event is not.
void Connection::end_idleness() noexcept {
  if (sys::unread_bytes(fd_.get()).count() == 0) {
    time_out(CloseReason::idle_timeout);
    return;
  }
  note_progress();
  context_.loop.enqueue(*this);
}

std::chrono::milliseconds Connection::since_progress() const noexcept {
  return now() - last_progress_;
}

// Whether the peer has yet to acknowledge bytes, or our FIN, that the kernel took. That it
// acknowledges some is progress: a peer that reads slowly makes room in the kernel's buffer long
// before OUT is reported, and the kernel may hold all that is owed. Once everything is acknowledged
// nothing is asked until more is sent, so that connections at rest cost no system call.
bool Connection::awaits_acknowledgement() noexcept {
  if (unacknowledged_ != 0) {
    const sys::IoResult unacknowledged = sys::unacknowledged_bytes(fd_.get());
    const auto bytes = static_cast<std::uint32_t>(unacknowledged.count());
    if (unacknowledged.ok() && std::exchange(unacknowledged_, bytes) > bytes) {
      note_progress();
    }
  }
  return unacknowledged_ != 0;
}

}  // namespace echod
