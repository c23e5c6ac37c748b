// A memory reserve for toml++. toml++ allocates memory in noexcept constructors when it reports a
// syntax error. If that allocation failed, the process would abort, even at a reload.
//
// While an object exists, a failed allocation of its thread frees a piece of the reserve and is
// tried again. Allocations of other threads fail as usual.
//
// Thread-safety: belongs to the thread that made it. A thread has at most one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

namespace echod {

class SpareMemory {
 public:
  // Throws std::bad_alloc.
  SpareMemory();
  ~SpareMemory();
  SpareMemory(const SpareMemory&) = delete;
  SpareMemory& operator=(const SpareMemory&) = delete;

  // Throws std::bad_alloc if an allocation has failed since the constructor. The result of the
  // parser is then not reliable, because streams report failed allocations as bad input.
  void require_untouched() const;

 private:
  static constexpr std::size_t kPieces = 24;
  static constexpr std::size_t kPieceBytes = 8192;  // Larger than any allocation for a small file.

  static void give_back_a_piece();

  std::array<std::unique_ptr<std::array<std::byte, kPieceBytes>>, kPieces> pieces_;
  std::size_t left_ = kPieces;
};

}  // namespace echod
