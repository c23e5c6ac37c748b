// Writes a snapshot as JSON: what GET /status answers, for echoctl and scripts.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "admin/snapshot.hpp"

namespace echod {

// One object, on one line. Counters have the names of name_of(Counter) and are sums over all
// workers. Text is changed as printable_utf8() does. Throws std::bad_alloc.
[[nodiscard]] std::string status_json(const Snapshot& snapshot);

// The process, and how many reloads and upgrades it has seen: an object with members that the
// status has too. Throws std::bad_alloc.
[[nodiscard]] std::string reload_counts_json(const ServiceFacts& service);

}  // namespace echod
