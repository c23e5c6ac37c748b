// The tables of the status page. Each function returns a <section>.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "admin/connection_history.hpp"
#include "admin/snapshot.hpp"

namespace echod {

[[nodiscard]] std::string listeners_html(const Snapshot& snapshot);
[[nodiscard]] std::string workers_html(const Snapshot& snapshot);
// Counters: since the start, and since the oldest sample of the history.
[[nodiscard]] std::string closes_html(const Snapshot& snapshot, const ConnectionHistory& history);
[[nodiscard]] std::string refusals_html(const Snapshot& snapshot, const ConnectionHistory& history);
[[nodiscard]] std::string work_html(const Snapshot& snapshot, const ConnectionHistory& history);
[[nodiscard]] std::string server_delay_html(const Snapshot& snapshot,
                                            const ConnectionHistory& history);
[[nodiscard]] std::string log_html(const LogSnapshot& log);
[[nodiscard]] std::string config_html(const ServiceFacts& service, bool is_unfolded);

}  // namespace echod
