#include "allocations.hpp"

#include <cstdlib>
#include <new>

// NOLINTBEGIN(cppcoreguidelines-no-malloc): operator new is what this makes.
namespace echod::test {

namespace {

thread_local std::uint64_t count = 0;
thread_local std::size_t smallest_to_fail = SIZE_MAX;

void* allocate(std::size_t size) noexcept {
  ++count;
  return size >= smallest_to_fail ? nullptr : std::malloc(size != 0 ? size : 1);
}

void* allocate_or_throw(std::size_t size) {
  void* const memory = allocate(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

std::uint64_t allocations() noexcept {
  return count;
}

AllocationFailure::AllocationFailure(std::size_t smallest) noexcept {
  smallest_to_fail = smallest;
}

AllocationFailure::~AllocationFailure() {
  smallest_to_fail = SIZE_MAX;
}

}  // namespace echod::test

// All forms but the aligned ones, so that a sanitizer's own never meet ours.
void* operator new(std::size_t size) {
  return echod::test::allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
  return echod::test::allocate_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return echod::test::allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return echod::test::allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc)
