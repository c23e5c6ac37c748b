// Visits every connection of a table in one call. Only tests may do this: the daemon visits
// connections in slices, so that no turn takes long (connection_visit.hpp).
#pragma once

#include <cstdint>

#include "echo/connection_table.hpp"

namespace echod::test {

template <typename Visitor>
void visit_all(ConnectionTable& table, const Visitor& visitor) noexcept {
  (void)table.visit(0, SIZE_MAX, visitor);
}

}  // namespace echod::test
