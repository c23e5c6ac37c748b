#include "config/spare_memory.hpp"

#include <new>

namespace echod {

namespace {

thread_local SpareMemory* spare_of_this_thread = nullptr;

}  // namespace

SpareMemory::SpareMemory() {
  for (auto& piece : pieces_) {
    piece = std::make_unique_for_overwrite<std::array<std::byte, kPieceBytes>>();
  }
  spare_of_this_thread = this;
  std::set_new_handler(&give_back_a_piece);  // Stays set; it throws in threads without a reserve.
}

SpareMemory::~SpareMemory() {
  spare_of_this_thread = nullptr;
}

void SpareMemory::require_untouched() const {
  if (left_ < kPieces) {
    throw std::bad_alloc();
  }
}

// The new-handler. operator new tries again when it returns.
void SpareMemory::give_back_a_piece() {
  SpareMemory* const spare = spare_of_this_thread;
  if (spare == nullptr || spare->left_ == 0) {
    throw std::bad_alloc();
  }
  spare->pieces_.at(--spare->left_).reset();
}

}  // namespace echod
