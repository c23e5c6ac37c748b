#include "echo_context.hpp"

#include <utility>

namespace echod {

// NOLINTNEXTLINE(*-member-init): peek_room is written before it is read.
EchoContext::EchoContext(EventLoop& event_loop, const EchoSettings& initial,
                         std::shared_ptr<spdlog::logger> logger,
                         std::shared_ptr<Roster> all_workers, std::size_t worker_number)
    : loop(event_loop),
      roster(std::move(all_workers)),
      worker(worker_number),
      settings(initial),
      log(std::move(logger), counters, roster->line_limits(), event_loop.timers()),
      buffers(initial.block_bytes, initial.buffer_bytes),
      admission(*roster, worker) {
  roster->line_limits().set_per_second(initial.log_lines_per_second);
  log.set_logs_echoes(initial.logs_echoes);
  loop.set_busy_poll(initial.busy_poll);
}

void EchoContext::apply(const EchoSettings& wanted) noexcept {
  settings = wanted;
  roster->line_limits().set_per_second(wanted.log_lines_per_second);
  log.set_logs_echoes(wanted.logs_echoes);
  loop.set_busy_poll(wanted.busy_poll);
  buffers.set_limits(wanted.block_bytes, wanted.buffer_bytes);
  if (!is_draining) {  // Then everybody who waits in a queue that is emptied is let in.
    admission.set_max_connections(wanted.max_connections);
  }
}

Connection& EchoContext::adopt(sys::Accepted accepted) noexcept {
  Connection& connection = table.create(*this, std::move(accepted.fd), accepted.peer);
  connection.start();
  return connection;
}

}  // namespace echod
