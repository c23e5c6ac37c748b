#include "echo_context.hpp"

#include <utility>

namespace echod {

void Shared::apply(const EchoSettings& settings) noexcept {
  admission.set_max_connections(settings.max_connections);
  line_limits.set_per_second(settings.log_lines_per_second);
}

EchoContext::EchoContext(EventLoop& event_loop, const EchoSettings& initial, WorkerLogs logs,
                         Shared& shared, std::size_t worker_number)
    : loop(event_loop),
      admission(shared.admission),
      worker(worker_number),
      settings(initial),
      log(std::move(logs), counters, shared.line_limits, event_loop.timers()) {
  apply(initial);
}

void EchoContext::apply(const EchoSettings& wanted) noexcept {
  settings = wanted;
  log.set_logs_echoes(wanted.logs_echoes);
  loop.set_busy_poll(wanted.busy_poll);
  relay.apply(wanted);
}

void EchoContext::adopt(sys::Accepted accepted) noexcept {
  table.create(*this, std::move(accepted.fd), accepted.peer).start();
}

}  // namespace echod
