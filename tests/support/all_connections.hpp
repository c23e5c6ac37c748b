// Every connection of a table at once, where the daemon goes in slices (connection_visit.hpp).
#pragma once

#include <cstdint>

#include "connection_table.hpp"

namespace echod::test {

template <typename Visitor>
void visit_all(ConnectionTable& table, const Visitor& visitor) {
  (void)table.visit(0, SIZE_MAX, visitor);
}

}  // namespace echod::test
