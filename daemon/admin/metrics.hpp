// Writes a snapshot as metrics for Prometheus.
//
// Names and labels are an interface: dashboards and alerts of operators use them.
// docs/operations.md has a table of them, and a test compares it with this code. No label has the
// address of a client, so the number of time series depends only on the configuration.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "admin/http_counters.hpp"
#include "admin/snapshot.hpp"

namespace echod {

// The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
[[nodiscard]] std::string metrics_text(const Snapshot& snapshot, const HttpCounters& http);

}  // namespace echod
