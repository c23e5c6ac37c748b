#include "service/upgrade_check.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "service/admin_sockets.hpp"
#include "service/capacity.hpp"
#include "service/config_source.hpp"
#include "service/connection_limit.hpp"
#include "service/exit_codes.hpp"
#include "service/restored_listeners.hpp"
#include "sys/open_files.hpp"
#include "telemetry/counters.hpp"

namespace echod {

namespace {

std::size_t descriptors_of(const std::vector<ListenerState>& listeners) noexcept {
  const auto locks = std::count_if(listeners.begin(), listeners.end(),
                                   [](const auto& listener) { return listener.lock_fd >= 0; });
  return listeners.size() + static_cast<std::size_t>(locks);
}

std::uint64_t open_connections(const ServiceState& state) noexcept {
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;
  for (const WorkerState& worker : state.workers) {
    for (const NamedCount& count : worker.counters) {
      if (count.name == name_of(Counter::accepted)) {
        accepted += count.value;
      } else if (count.name.starts_with(kClosedPrefix)) {
        closed += count.value;
      }
    }
  }
  return accepted - std::min(accepted, closed);
}

// Refuses if the open connections would use the descriptors that the next program needs for itself:
// without an epoll instance, a pipe or the log file it could not start, or not be replaced.
// `before` and `usable` are the descriptors for connections and pipes, now and after the upgrade.
// Does not refuse if the upgrade takes no descriptor away, even if too many connections are open
// already.
void require_descriptors(std::uint64_t open, std::uint64_t before, std::uint64_t usable) {
  if (open > usable && usable < before) {
    throw StartupError(ExitCode::configuration,
                       std::to_string(open) +
                           " connections are open, but the new configuration allows only " +
                           std::to_string(usable) +
                           "; raise limits.open_files, lower workers, or upgrade when fewer "
                           "connections are open");
  }
}

}  // namespace

Config config_for_upgrade(const CommandLine& options, const ServiceState& state) {
  Config config = effective_config(options);
  const std::uint64_t soft_limit_before = sys::open_files_limit().soft;
  const std::uint64_t reserved_before =
      admin_descriptors(state.admin) + reserved_descriptors(descriptors_of(state.listeners),
                                                            state.workers.size(),
                                                            state.foreign_descriptors);
  const Capacity capacity(config, state.foreign_descriptors);
  require_descriptors(open_connections(state),
                      soft_limit_before - std::min(soft_limit_before, reserved_before),
                      capacity.usable_descriptors());
  require_listenable(config, state.listeners);
  require_admin_listenable(config.admin, state.admin, leaving_listeners(config, state.listeners));
  return config;
}

}  // namespace echod
