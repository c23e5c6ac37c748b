// Counts the calls of operator new, and makes them fail on demand (replaced_new.hpp). For tests
// that check that a path does not allocate, or that it goes on without memory. A test that uses it
// links count_allocations. Thread-safety: counts and failures belong to the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace echod::test {

// Returns how many times this thread has called operator new.
[[nodiscard]] std::uint64_t allocations() noexcept;

// While the object exists, allocations of at least `smallest` bytes fail in this thread, except the
// first `first_spared` of them. A failing allocation calls the new-handler, if one is set, and
// succeeds if the handler returns.
class AllocationFailure {
 public:
  explicit AllocationFailure(std::size_t smallest = 0, std::uint64_t first_spared = 0) noexcept;
  ~AllocationFailure();
  AllocationFailure(const AllocationFailure&) = delete;
  AllocationFailure& operator=(const AllocationFailure&) = delete;
};

}  // namespace echod::test
