#include "echo/echo_context.hpp"

#include <utility>

namespace echod {

EchoContext::EchoContext(EventLoop& event_loop, const EchoSettings& initial, WorkerLogs logs,
                         LineLimits& line_limits, WorkerAdmission worker_admission)
    : loop(event_loop),
      admission(worker_admission),
      settings(initial),
      log(std::move(logs), counters, line_limits, event_loop.timers()) {
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
