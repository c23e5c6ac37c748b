// Describes the host and the kernel, so that readers can compare results.
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace echod::client {

struct Environment {
  std::string version;           // echoload's version.
  std::string time;              // UTC, RFC 3339.
  std::string host;              // The host name.
  std::string kernel;            // "Linux 6.1.0-18-amd64"
  unsigned cpus = 0;             // CPUs that this process may use.
  std::uint64_t open_files = 0;  // The current limit (`ulimit -n`).
  // The first and last port that connect(2) chooses from (ip(7)).
  std::optional<std::pair<std::uint32_t, std::uint32_t>> local_ports;
};

[[nodiscard]] Environment environment();

}  // namespace echod::client
