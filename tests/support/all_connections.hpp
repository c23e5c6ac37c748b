// Every connection of a table in one go, which a turn of the daemon must not do
// (connection_visit.hpp).
#pragma once

#include <cstdint>

#include "echo/connection_table.hpp"

namespace echod::test {

template <typename Visitor>
void visit_all(ConnectionTable& table, const Visitor& visitor) noexcept {
  (void)table.visit(0, SIZE_MAX, visitor);
}

}  // namespace echod::test
