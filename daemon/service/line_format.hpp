// The look of a log line: "2026-11-21 02:50:20,123 - network-server - DEBUG - message".
// Thread-safety: each sink has a formatter of its own.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace echod {

// With `has_priority`, lines begin with the "<N>" of sd-daemon(3), which systemd's journal reads.
[[nodiscard]] std::unique_ptr<spdlog::formatter> line_format(bool has_priority);

}  // namespace echod
