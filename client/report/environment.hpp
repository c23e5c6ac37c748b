// What a result depends on besides the two programs: for the reader who compares it with another.
// Thread-safety: functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace echod::client {

struct Environment {
  std::string version;           // Of echoload.
  std::string time;              // UTC, as RFC 3339 has it.
  std::string host;              // Its name.
  std::string kernel;            // "Linux 6.1.0-18-amd64"
  unsigned cpus = 0;             // That this process may use.
  std::uint64_t open_files = 0;  // The limit in force (`ulimit -n`).
  // The ports that connect(2) chooses from, both ends included (ip(7)).
  std::optional<std::pair<std::uint32_t, std::uint32_t>> local_ports;
};

[[nodiscard]] Environment environment();

}  // namespace echod::client
