#include "service/capacity.hpp"

#include <spdlog/logger.h>
#include <unistd.h>

#include <algorithm>

#include "service/admin_sockets.hpp"
#include "sys/available_cpus.hpp"

namespace echod {

Capacity::Capacity(const Config& config, std::size_t foreign)
    : foreign_(foreign),
      open_files_(sys::set_open_files(config.limits.open_files)),
      workers_(config.workers == 0 ? sys::available_cpus() : config.workers),
      usable_descriptors_(echod::usable_descriptors(
          config.limits, open_files_,
          reserved_descriptors(descriptors_of_listeners(config, workers_), workers_, foreign_) +
              admin_descriptors(config.admin))) {}

ConnectionLimit Capacity::limit_for(const Config& config) const {
  const std::uint64_t pipes = workers_ * splice_settings_for(config).pipes;
  return connection_limit(config.limits, open_files_,
                          usable_descriptors_ - pipes * kDescriptorsPerPipe);
}

EchoSettings Capacity::settings_for(const Config& config, const ConnectionLimit& limit) const {
  return echo_settings(config, limit.max_connections, static_cast<std::uint32_t>(workers_),
                       splice_settings_for(config));
}

SpliceSettings Capacity::splice_settings_for(const Config& config) const noexcept {
  return splice_settings(config, usable_descriptors_, workers_);
}

void Capacity::announce(const Config& config, const ConnectionLimit& limit,
                        spdlog::logger& log) const {
  log.info(
      "limits: {} connections, {} open files, reply buffers of {} KiB, {} MiB in all; {} worker{}",
      limit.max_connections, open_files_.soft, config.buffers.per_connection_kib,
      config.buffers.total_mib, workers_, workers_ == 1 ? "" : "s");
  const SpliceSettings splice = splice_settings_for(config);
  if (splice.pipes > 0) {
    log.info(
        "splice: at most {} pipes of {} KiB, for reads of {} KiB and more; {} such reads may be "
        "unacknowledged, {} of a connection",
        workers_ * splice.pipes, splice.pipe_bytes / 1024, splice.least_bytes / 1024,
        splice.most_rounds_in_all, splice.most_rounds);
  } else if (config.buffers.splice) {
    log.info(
        "splice: no pipes, so bulk is copied; pipes need 64 KiB or more in "
        "buffers.per_connection_kib and in turn.bytes_kib, and 64 open files for each worker");
  }
  const EchoSettings settings = settings_for(config, limit);
  // Echoes stay correct, but are slow, which is not obvious from a key about memory.
  if (settings.buffer_bytes < settings.block_bytes) {
    log.warn(
        "buffers.total_mib leaves {} KiB to each of {} workers, less than one reply buffer of {} "
        "KiB: connections are served without reply buffers, slowly; raise buffers.total_mib, or "
        "lower workers",
        settings.buffer_bytes / 1024, workers_, settings.block_bytes / 1024);
  }
}

std::size_t unknown_descriptors(std::size_t known) noexcept {
  known += STDERR_FILENO + 1;
  return std::max(sys::open_descriptors(), known) - known;
}

}  // namespace echod
