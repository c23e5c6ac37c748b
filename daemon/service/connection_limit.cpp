#include "service/connection_limit.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "service/exit_codes.hpp"

namespace echod {

namespace {

constexpr const char* kHowToRaise = "; raise it with ulimit -n, or LimitNOFILE= under systemd";

}  // namespace

std::size_t descriptors_of_listeners(const Config& config, std::size_t workers) noexcept {
  return std::accumulate(config.listen.begin(), config.listen.end(), std::size_t{0},
                         [workers](std::size_t sum, const ListenConfig& listener) {
                           const std::size_t sockets =
                               listener.protocol == Protocol::udp ? workers : 1;
                           return sum + sockets + (listener.is_local() ? 1 : 0);
                         });
}

std::uint64_t reserved_descriptors(std::size_t listeners, std::size_t workers,
                                   std::size_t foreign) noexcept {
  return kReservedDescriptors + listeners + workers * kDescriptorsPerWorker + foreign;
}

std::uint64_t usable_descriptors(const LimitsConfig& limits, const sys::OpenFilesLimit& open_files,
                                 std::uint64_t reserved) {
  if (open_files.soft <= reserved) {
    const bool is_as_configured = limits.open_files > 0 && open_files.soft >= limits.open_files;
    throw StartupError(ExitCode::configuration,
                       "ulimit -n allows " + std::to_string(open_files.soft) +
                           " open files, but serving one connection needs " +
                           std::to_string(reserved + 1) +
                           (is_as_configured ? "; raise limits.open_files" : kHowToRaise));
  }
  return open_files.soft - reserved;
}

SpliceSettings splice_settings(const Config& config, std::uint64_t usable,
                               std::size_t workers) noexcept {
  constexpr std::size_t kMostPipes = 128;
  constexpr std::size_t kPartOfDescriptors = 32;
  constexpr std::size_t kRoundsPerMib = 4;  // They pin at most 8 MiB.
  SpliceSettings splice;
  const std::size_t smallest_kib =
      std::min(config.buffers.per_connection_kib, config.turn.bytes_kib);
  if (!config.buffers.splice || smallest_kib * 1024 < splice.least_bytes) {
    return splice;
  }
  splice.most_rounds_in_all = config.buffers.total_mib * kRoundsPerMib;
  splice.pipes = std::min<std::size_t>(std::max<std::size_t>(kMostPipes / workers, 1),
                                       usable / kPartOfDescriptors / kDescriptorsPerPipe / workers);
  return splice;
}

ConnectionLimit connection_limit(const LimitsConfig& limits, const sys::OpenFilesLimit& open_files,
                                 std::uint64_t usable) {
  const std::string soft = std::to_string(open_files.soft);
  const std::uint64_t possible =
      std::min<std::uint64_t>(usable, std::numeric_limits<std::uint32_t>::max());
  const std::uint64_t wanted = limits.max_connections == 0 ? possible : limits.max_connections;
  const std::uint64_t reserved = open_files.soft - usable;
  ConnectionLimit limit;
  limit.max_connections = static_cast<std::uint32_t>(std::min(wanted, possible));

  const std::uint64_t needed = std::max<std::uint64_t>(
      limits.open_files, limits.max_connections == 0 ? 0 : limits.max_connections + reserved);
  const std::string serving =
      ": serving at most " + std::to_string(limit.max_connections) + " connections";
  if (needed > open_files.soft) {
    limit.warning = "the configuration needs " + std::to_string(needed) +
                    " open files, but ulimit -n allows " + soft + serving +
                    "; raise it with ulimit -n " + std::to_string(needed) +
                    ", or LimitNOFILE=" + std::to_string(needed) + " under systemd" +
                    (needed > sys::kUsualMostOpenFiles ? "; fs.nr_open must allow it too" : "");
  } else if (needed == 0 && open_files.soft < open_files.hard) {
    limit.warning = "the system refuses to raise ulimit -n from " + soft + " to its hard limit, " +
                    std::to_string(open_files.hard) + serving + kHowToRaise;
  } else if (needed == 0 && open_files.soft < 2 * reserved) {
    limit.warning = "ulimit -n allows " + soft + " open files" + serving + kHowToRaise;
  }
  return limit;
}

}  // namespace echod
