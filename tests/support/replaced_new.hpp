// Replaces all forms of global operator new and operator delete in the program that links
// replaced_new.cpp. The program decides which allocations fail. An allocation that must fail calls
// the new-handler, if one is set, and succeeds if the handler returns.
//
// Thread-safety: any thread may allocate.
#pragma once

#include <cstddef>

namespace echod::test {

// Defined by the program. Called before each allocation, in its thread; must not allocate.
[[nodiscard]] bool allocation_must_fail(std::size_t bytes) noexcept;

}  // namespace echod::test
