// Reply buffers: blocks of one size, and a bound on how many bytes of them connections hold.
//
// A worker reads into the pool's reading block. What the kernel does not take of a reply stays in
// that block, which then moves, without a copy, to the connection that owes it; the next read gets
// another. When the bound is reached, or memory is short, there is no block to read into and the
// caller serves its connection without one. So no byte is ever read that there is no room to keep.
//
// Thread-safety: none but where said; one pool a worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "reply.hpp"

namespace echod {

class BufferPool;

// Bytes that were read and not yet sent: a window that shrinks from its front.
class Block final : public Reply {
 public:
  // All of the room, for a read.
  [[nodiscard]] std::span<std::byte> room() noexcept {
    return {reinterpret_cast<std::byte*>(this + 1), capacity_};
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  // Says that the bytes of room() from `begin` to `end` are owed.
  void hold(std::size_t begin, std::size_t end) noexcept {
    begin_ = static_cast<std::uint32_t>(begin);
    end_ = static_cast<std::uint32_t>(end);
  }
  [[nodiscard]] std::span<const std::byte> owed() noexcept {
    return room().subspan(begin_, size());
  }
  void consume(std::size_t bytes) noexcept { begin_ += static_cast<std::uint32_t>(bytes); }

  [[nodiscard]] std::size_t size() const noexcept override { return end_ - begin_; }
  sys::IoResult send(int socket) noexcept override;

 private:
  friend class BufferPool;

  Block(BufferPool& pool, std::uint32_t capacity) noexcept : pool_(pool), capacity_(capacity) {}
  void give_back() noexcept override;

  BufferPool& pool_;
  Block* next_free_ = nullptr;
  std::uint32_t capacity_;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

class BufferPool {
 public:
  // `total_bytes` bounds the blocks that are taken and the reading block together.
  BufferPool(std::size_t block_bytes, std::size_t total_bytes) noexcept
      : block_bytes_(block_bytes), total_bytes_(total_bytes) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // The block that the next read goes to, or nullptr when the bound is reached or there is no
  // memory.
  [[nodiscard]] Block* reading_block() noexcept;
  // Hands the block that reading_block() just gave to who owes its bytes.
  [[nodiscard]] ReplyPtr take_reading_block() noexcept;

  // Takes effect as blocks come back.
  void set_limits(std::size_t block_bytes, std::size_t total_bytes) noexcept;

  // Bytes in blocks that are taken. Any thread.
  [[nodiscard]] std::size_t bytes_taken() const noexcept {
    return bytes_taken_.load(std::memory_order_relaxed);
  }

 private:
  friend class Block;

  void release(Block* block) noexcept;
  static void destroy(Block* block) noexcept;
  void free_cached() noexcept;
  void set_taken(std::size_t bytes) noexcept {
    bytes_taken_.store(bytes, std::memory_order_relaxed);
  }

  // Blocks kept for later reads, so that a busy slow reader costs no allocation a flip.
  static constexpr std::size_t kMaxCached = 16;

  std::size_t block_bytes_;
  std::size_t total_bytes_;
  std::atomic<std::size_t> bytes_taken_{0};  // Written by the owner alone.
  Block* cached_ = nullptr;                  // The first of them is the reading block.
  std::size_t cached_count_ = 0;
};

}  // namespace echod
