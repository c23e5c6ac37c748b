#include "echo_context.hpp"

#include <utility>

namespace echod {

// NOLINTNEXTLINE(*-member-init): peek_room is written before it is read.
EchoContext::EchoContext(EventLoop& event_loop, const EchoSettings& initial,
                         std::shared_ptr<spdlog::logger> logger)
    : loop(event_loop),
      settings(initial),
      log(std::move(logger), counters, event_loop.timers()),
      buffers(initial.block_bytes, initial.buffer_bytes),
      admission(initial.max_connections) {
  log.set_limits(initial.log_lines_per_second, initial.logs_echoes);
}

void EchoContext::apply(const EchoSettings& wanted) noexcept {
  settings = wanted;
  log.set_limits(wanted.log_lines_per_second, wanted.logs_echoes);
  buffers.set_limits(wanted.block_bytes, wanted.buffer_bytes);
  if (!is_draining) {  // Then everybody who waits is let in, whatever the limit.
    admission.set_max_connections(wanted.max_connections);
  }
}

}  // namespace echod
