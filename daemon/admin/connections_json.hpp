// Writes the answers about connections as JSON, for echoctl and scripts.
//
// Thread-safety: stateless functions.
#pragma once

#include <span>
#include <string>

#include "admin/connection_inquiries.hpp"
#include "admin/connection_query.hpp"

namespace echod {

// `listeners` are the addresses of the listeners, by number. Throws std::bad_alloc.
[[nodiscard]] std::string connections_json(const ConnectionList& list, const ConnectionQuery& query,
                                           std::span<const std::string> listeners);
[[nodiscard]] std::string closed_json(const ClosedConnections& closed);

}  // namespace echod
