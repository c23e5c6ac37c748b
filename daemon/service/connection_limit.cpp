#include "connection_limit.hpp"

#include <algorithm>
#include <limits>

namespace echod {

ConnectionLimit connection_limit(const LimitsConfig& limits, const sys::OpenFilesLimit& open_files,
                                 std::size_t listeners, std::size_t workers) {
  const std::uint64_t reserve = kReservedDescriptors + listeners + workers * kDescriptorsPerWorker;
  const std::uint64_t holdable =
      std::clamp<std::uint64_t>(open_files.soft > reserve ? open_files.soft - reserve : 1, 1,
                                std::numeric_limits<std::uint32_t>::max());
  const std::uint64_t wanted = limits.max_connections == 0 ? holdable : limits.max_connections;
  ConnectionLimit limit;
  limit.max_connections = static_cast<std::uint32_t>(std::min(wanted, holdable));

  const std::uint64_t needed = std::max<std::uint64_t>(
      limits.open_files, limits.max_connections == 0 ? 0 : limits.max_connections + reserve);
  if (needed == 0 && open_files.soft < 2 * reserve) {
    limit.warning = "ulimit -n allows " + std::to_string(open_files.soft) +
                    " open files: serving at most " + std::to_string(limit.max_connections) +
                    " connections; raise it with ulimit -n, or LimitNOFILE= under systemd";
  } else if (needed > open_files.soft) {
    limit.warning = "the configuration asks for " + std::to_string(needed) +
                    " open files, ulimit -n allows " + std::to_string(open_files.soft) +
                    ": serving at most " + std::to_string(limit.max_connections) +
                    " connections; raise it with ulimit -n " + std::to_string(needed) +
                    ", or LimitNOFILE=" + std::to_string(needed) + " under systemd";
  }
  return limit;
}

}  // namespace echod
