#include "allocations.hpp"

#include "replaced_new.hpp"

namespace echod::test {

namespace {

thread_local std::uint64_t count = 0;
thread_local std::size_t smallest_to_fail = SIZE_MAX;
thread_local std::uint64_t spared = 0;  // Allocations of that size that still succeed.

}  // namespace

bool allocation_must_fail(std::size_t bytes) noexcept {
  ++count;
  if (bytes < smallest_to_fail) {
    return false;
  }
  if (spared > 0) {
    --spared;
    return false;
  }
  return true;
}

std::uint64_t allocations() noexcept {
  return count;
}

AllocationFailure::AllocationFailure(std::size_t smallest, std::uint64_t first_spared) noexcept {
  smallest_to_fail = smallest;
  spared = first_spared;
}

AllocationFailure::~AllocationFailure() {
  smallest_to_fail = SIZE_MAX;
  spared = 0;
}

}  // namespace echod::test
