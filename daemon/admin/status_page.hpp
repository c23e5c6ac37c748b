// Writes a snapshot as a page for people: GET /.
//
// The page needs no other file and no script. It is valid HTML and well-formed XML. Everything that
// comes from outside, such as log lines and the configuration, is escaped.
//
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <string>

#include "admin/connection_history.hpp"
#include "admin/snapshot.hpp"

namespace echod {

enum class PageRefresh : std::uint8_t {
  every_5_s,
  never,  // GET /?refresh=never: for reading the configuration, which is open then.
};

[[nodiscard]] std::string status_page(const Snapshot& snapshot, const ConnectionHistory& history,
                                      PageRefresh refresh = PageRefresh::every_5_s);

}  // namespace echod
