#include "allocations.hpp"

#include <cstdlib>
#include <new>

// NOLINTBEGIN(cppcoreguidelines-no-malloc): this implements operator new.
namespace echod::test {

namespace {

thread_local std::uint64_t count = 0;
thread_local std::size_t smallest_to_fail = SIZE_MAX;
thread_local std::uint64_t spared = 0;  // Allocations of that size that still succeed.

void* take(std::size_t size) noexcept {
  return std::malloc(size != 0 ? size : 1);
}

void* allocate(std::size_t size) noexcept {
  ++count;
  if (size < smallest_to_fail || spared > 0) {
    spared -= size < smallest_to_fail ? 0 : 1;
    return take(size);
  }
  return nullptr;
}

void* allocate_or_throw(std::size_t size) {
  if (void* const memory = allocate(size); memory != nullptr) {
    return memory;
  }
  const std::new_handler handler = std::get_new_handler();
  if (handler == nullptr) {
    throw std::bad_alloc();
  }
  handler();  // Throws, or frees memory.
  return take(size);
}

}  // namespace

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

// All forms but the aligned ones are replaced, so that a sanitizer's operator delete never gets
// memory of ours, nor ours memory of the sanitizer.
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
