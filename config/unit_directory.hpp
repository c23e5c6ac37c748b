// The directories that systemd makes for a unit: LogsDirectory=, RuntimeDirectory=.
// Thread-safety: reads the environment, which must not change meanwhile.
#pragma once

#include <string>

namespace echod {

// The directory that the environment variable names, such as "LOGS_DIRECTORY"; empty if it is not
// set. systemd.exec(5): if it lists several, separated by colons, this is the first.
[[nodiscard]] std::string unit_directory(const char* variable);

// The path of a UNIX socket: a relative one is put into $RUNTIME_DIRECTORY. Empty if `path` is
// empty, or if it is relative and $RUNTIME_DIRECTORY is not set.
[[nodiscard]] std::string in_runtime_directory(const std::string& path);

}  // namespace echod
