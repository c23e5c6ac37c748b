// Which requests the commands make.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/echoctl/command_line.hpp"

namespace echod::ctl {

struct Request {
  const char* method;
  std::string target;  // Percent-encoded.
};

// The first request of the command. `log-level` without a level asks for the status.
[[nodiscard]] Request request_for(const Options& options);

inline constexpr const char* kStatusTarget = "/status";
inline constexpr const char* kBusiestTarget = "/connections?sort=bytes&limit=10";

}  // namespace echod::ctl
