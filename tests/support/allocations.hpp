// Global operator new, counted and made to fail on demand: for tests that promise "no allocation"
// or serve on without memory. Link allocations.cpp to have it. Thread-safety: counts and failures
// are those of the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace echod::test {

// Calls of operator new in this thread so far.
[[nodiscard]] std::uint64_t allocations() noexcept;

// While it lives, allocations of `smallest` bytes and more fail in this thread, but for the first
// `first_spared` of them. One that fails calls the new-handler, if there is one, and is given
// memory when that returns.
class AllocationFailure {
 public:
  explicit AllocationFailure(std::size_t smallest = 0, std::uint64_t first_spared = 0) noexcept;
  ~AllocationFailure();
  AllocationFailure(const AllocationFailure&) = delete;
  AllocationFailure& operator=(const AllocationFailure&) = delete;
};

}  // namespace echod::test
