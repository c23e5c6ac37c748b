// The name that every log line carries.
#pragma once

namespace echod {

inline constexpr const char* kLoggerName = "network-server";

}  // namespace echod
