#include "echo/echo_context.hpp"

#include <optional>
#include <utility>

#include "echo/parked_connection.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

EchoContext::EchoContext(EventLoop& event_loop, const EchoSettings& initial, WorkerLogs logs,
                         LineLimits& line_limits, std::atomic<std::size_t>& pinned_rounds_in_all,
                         WorkerAdmission worker_admission)
    : loop(event_loop),
      admission(worker_admission),
      settings(initial),
      log(std::move(logs), counters, line_limits, event_loop.timers()),
      pinned_rounds(pinned_rounds_in_all) {
  apply(initial);
}

void EchoContext::apply(const EchoSettings& wanted) noexcept {
  settings = wanted;
  log.set_logs_echoes(wanted.logs_echoes);
  loop.set_busy_poll(wanted.busy_poll);
  pinned_rounds.apply(wanted.splice);
  relay.apply(wanted);
}

void EchoContext::adopt(sys::Accepted accepted, std::uint8_t listener) noexcept {
  listener_counts.accepted(listener);
  table.create(*this, listener, std::move(accepted.fd), accepted.peer).start();
}

void EchoContext::count_lost(std::uint8_t listener) noexcept {
  listener_counts.accepted(listener);
  listener_counts.closed(listener);
  counters.add(counter_of(CloseReason::io_error));
}

void EchoContext::resume(const ParkedConnection& parked,
                         const std::shared_ptr<const void>& memory) noexcept {
  std::optional<ReplyPtr> reply;
  if (reserve()) {
    reply = relay.restore(parked, memory);
  }
  if (!reply) {
    count_lost(parked.listener);
    ++not_resumed;
    sys::reset_on_close(parked.fd);
    (void)sys::UniqueFd::adopt(parked.fd);
    (void)sys::UniqueFd::adopt(parked.pipe_read_end);
    (void)sys::UniqueFd::adopt(parked.pipe_write_end);
    return;
  }
  admission.add_connection();
  listener_counts.accepted(parked.listener);
  table.create(*this, parked.listener, parked, std::move(*reply)).resume();
}

}  // namespace echod
