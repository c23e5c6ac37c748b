// Memory in reserve for toml++, which reports a syntax error in noexcept constructors that
// allocate: without memory they would abort the process, at a reload too.
//
// While an object lives, an allocation of its thread that fails is tried again with a piece of the
// reserve given back. The allocations of other threads fail as ever.
//
// Thread-safety: an object belongs to its thread, and there is one of a thread at a time.
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

  // Throws std::bad_alloc if an allocation has failed: what was made since is not to be relied on,
  // because streams take no memory for bad input.
  void require_untouched() const;

 private:
  static constexpr std::size_t kPieces = 24;
  static constexpr std::size_t kPieceBytes = 8192;  // More than a small file needs at once.

  static void give_back_a_piece();

  std::array<std::unique_ptr<std::array<std::byte, kPieceBytes>>, kPieces> pieces_;
  std::size_t left_ = kPieces;
};

}  // namespace echod
