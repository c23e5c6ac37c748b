// Reply buffers: blocks of equal size. A limit applies to the size of all blocks together: those
// that connections hold, the reading block and the cached ones.
//
// A worker reads into the pool's reading block. If the kernel does not accept all of a reply, that
// block moves, without a copy, to the connection that owes the rest, and the next read gets another
// block. At the limit, or if memory runs out, there is no reading block, and the caller serves the
// connection without one. So there is always memory for the bytes that were read.
//
// Thread-safety: one pool for each worker, used by its thread; any thread may call bytes_held().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "echo/reply.hpp"

namespace echod {

class BufferPool;

// Bytes that were read and not yet sent: a window that shrinks from its front.
class Block final : public Reply {
 public:
  // The whole block, for a read.
  [[nodiscard]] std::span<std::byte> memory() noexcept {
    return {reinterpret_cast<std::byte*>(this + 1), capacity_};
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  // Marks the bytes of memory() from `begin` to `end` as owed.
  void hold(std::size_t begin, std::size_t end) noexcept {
    begin_ = static_cast<std::uint32_t>(begin);
    end_ = static_cast<std::uint32_t>(end);
  }
  [[nodiscard]] std::span<std::byte> owed() noexcept { return memory().subspan(begin_, size()); }
  void consume(std::size_t bytes) noexcept { begin_ += static_cast<std::uint32_t>(bytes); }

  [[nodiscard]] std::size_t size() const noexcept override { return end_ - begin_; }
  sys::IoResult send(int socket) noexcept override;
  void describe(ParkedConnection& parked) noexcept override;

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

// Owed bytes that an earlier program has left in memory. They are sent from there.
class RestoredBytes final : public Reply {
 public:
  [[nodiscard]] std::size_t size() const noexcept override { return owed_.size(); }
  sys::IoResult send(int socket) noexcept override;
  void describe(ParkedConnection& parked) noexcept override;

 private:
  friend class BufferPool;

  RestoredBytes(BufferPool& pool, std::span<const std::byte> owed, std::span<std::byte> own_memory,
                std::shared_ptr<const void> memory) noexcept
      : pool_(pool),
        held_bytes_(owed.size()),
        owed_(owed),
        own_memory_(own_memory),
        memory_(std::move(memory)) {}
  void give_back() noexcept override;

  BufferPool& pool_;
  const std::size_t held_bytes_;
  std::span<const std::byte> owed_;
  const std::span<std::byte> own_memory_;  // The argument of restore().
  std::shared_ptr<const void> memory_;     // Keeps the bytes.
};

class BufferPool {
 public:
  // `total_bytes` limits all blocks together.
  BufferPool(std::size_t block_bytes, std::size_t total_bytes) noexcept
      : block_bytes_(block_bytes), total_bytes_(total_bytes) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // Returns the block for the next read, or nullptr at the limit or if memory runs out.
  [[nodiscard]] Block* reading_block() noexcept;
  // Moves the block that reading_block() just returned to the caller, which then owes its bytes.
  [[nodiscard]] ReplyPtr detach_reading_block() noexcept;

  // Returns a reply that owes `bytes`; `memory` keeps them alive. May exceed the limit, because the
  // bytes were received already. `own_memory` is the same bytes if nothing else uses their memory,
  // else empty. The pages of `own_memory` are given back to the kernel when the reply ends. Returns
  // nullptr if memory runs out.
  [[nodiscard]] ReplyPtr restore(std::span<const std::byte> bytes, std::span<std::byte> own_memory,
                                 std::shared_ptr<const void> memory) noexcept;

  // Blocks that are held keep their size until they come back.
  void set_limits(std::size_t block_bytes, std::size_t total_bytes) noexcept;

  // Bytes in blocks that connections hold. Any thread.
  [[nodiscard]] std::size_t bytes_held() const noexcept {
    return bytes_held_.load(std::memory_order_relaxed);
  }

 private:
  friend class Block;
  friend class RestoredBytes;

  void take_back(Block* block) noexcept;
  void take_back(RestoredBytes* restored) noexcept;
  static void destroy(Block* block) noexcept;
  void free_cached() noexcept;
  void set_held(std::size_t bytes) noexcept { bytes_held_.store(bytes, std::memory_order_relaxed); }

  // Free blocks that are kept, so that a slow reader costs no allocation each time it is flushed.
  static constexpr std::size_t kMaxCached = 16;

  std::size_t block_bytes_;
  std::size_t total_bytes_;
  std::atomic<std::size_t> bytes_held_{0};  // Written by the worker only.
  Block* cached_ = nullptr;                 // Free blocks; the first one is the reading block.
  std::size_t cached_count_ = 0;
};

}  // namespace echod
