#include "echo/buffer_pool.hpp"

#include <new>

#include "echo/parked_connection.hpp"
#include "sys/invariant.hpp"
#include "sys/memory_file.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

sys::IoResult Block::send(int socket) noexcept {
  const sys::IoResult sent = sys::send(socket, owed());
  consume(sent.count());
  return sent;
}

void Block::describe(ParkedConnection& parked) noexcept {
  parked.owed = parked.own_memory = owed();
}

void Block::give_back() noexcept {
  pool_.take_back(this);
}

sys::IoResult RestoredBytes::send(int socket) noexcept {
  const sys::IoResult sent = sys::send(socket, owed_);
  owed_ = owed_.subspan(sent.count());
  return sent;
}

void RestoredBytes::describe(ParkedConnection& parked) noexcept {
  parked.owed = owed_;
  parked.own_memory = own_memory_.empty() ? own_memory_ : own_memory_.last(owed_.size());
}

void RestoredBytes::give_back() noexcept {
  pool_.take_back(this);
}

BufferPool::~BufferPool() {
  free_cached();
  invariant(bytes_held() == 0, "blocks come back before their pool is destroyed");
}

Block* BufferPool::reading_block() noexcept {
  if (bytes_held() + block_bytes_ > total_bytes_) {
    return nullptr;
  }
  if (cached_ == nullptr) {
    void* const memory = ::operator new (sizeof(Block) + block_bytes_,
                                         std::align_val_t{alignof(Block)}, std::nothrow);
    if (memory == nullptr) {
      return nullptr;
    }
    cached_ = new (memory) Block(*this, static_cast<std::uint32_t>(block_bytes_));
    cached_count_ = 1;
  }
  return cached_;
}

ReplyPtr BufferPool::detach_reading_block() noexcept {
  invariant(cached_ != nullptr, "a block is detached after a read");
  Block* const block = cached_;
  cached_ = block->next_free_;
  --cached_count_;
  set_held(bytes_held() + block->capacity_);
  return ReplyPtr(block);
}

ReplyPtr BufferPool::restore(std::span<const std::byte> bytes, std::span<std::byte> own_memory,
                             std::shared_ptr<const void> memory) noexcept {
  auto* const restored =
      new (std::nothrow) RestoredBytes(*this, bytes, own_memory, std::move(memory));
  if (restored != nullptr) {
    set_held(bytes_held() + bytes.size());
  }
  return ReplyPtr(restored);
}

void BufferPool::set_limits(std::size_t block_bytes, std::size_t total_bytes) noexcept {
  block_bytes_ = block_bytes;
  total_bytes_ = total_bytes;
  free_cached();
}

void BufferPool::take_back(Block* block) noexcept {
  set_held(bytes_held() - block->capacity_);
  if (block->capacity_ != block_bytes_ || cached_count_ == kMaxCached) {
    destroy(block);
    return;
  }
  block->next_free_ = cached_;
  cached_ = block;
  ++cached_count_;
}

// Gives back the pages of this reply now. The mapping stays until the last reply in it ends.
void BufferPool::take_back(RestoredBytes* restored) noexcept {
  sys::drop_pages(restored->own_memory_);
  set_held(bytes_held() - restored->held_bytes_);
  delete restored;
}

void BufferPool::destroy(Block* block) noexcept {
  block->~Block();
  ::operator delete (block, std::align_val_t{alignof(Block)});
}

void BufferPool::free_cached() noexcept {
  while (cached_ != nullptr) {
    Block* const next = cached_->next_free_;
    destroy(cached_);
    cached_ = next;
  }
  cached_count_ = 0;
}

}  // namespace echod
