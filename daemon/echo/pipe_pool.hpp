// The pipes through which a worker splices, as many as it may have.
//
// As with buffer_pool.hpp, a round goes through the pool's own pipe. If the kernel does not take
// all of a reply, that pipe moves to the connection that owes the rest, and the next round gets
// another. A pipe that comes back is used again if it is empty, and closed if it is not.
//
// Pipes are opened when they are needed. When none can be opened, or the kernel gives one too
// little room, that is tried again after a second.
//
// Thread-safety: none; one pool a worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "clock.hpp"
#include "counters.hpp"
#include "pipe.hpp"
#include "reply.hpp"

namespace echod {

class PipePool;

// A pipe, and how many bytes are in it.
class PooledPipe final : public Reply {
 public:
  // Splices at most `most` bytes from the socket into the pipe, which must be empty.
  sys::IoResult fill(int socket, std::size_t most) noexcept;
  // Takes everything out of the pipe, for which `into` must have room. Returns 0 or an errno.
  [[nodiscard]] int read(std::span<std::byte> into) noexcept;

  [[nodiscard]] std::size_t size() const noexcept override { return bytes_; }
  sys::IoResult send(int socket) noexcept override;

 private:
  friend class PipePool;

  explicit PooledPipe(PipePool& pool) noexcept : pool_(pool) {}
  void give_back() noexcept override;

  PipePool& pool_;
  PooledPipe* next_free_ = nullptr;
  sys::Pipe pipe_;
  std::size_t bytes_ = 0;
};

class PipePool {
 public:
  static constexpr std::chrono::seconds kRetryInterval{1};

  // Counts in `counters` how often there is no pipe.
  explicit PipePool(Counters& counters) noexcept : counters_(counters) {}
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  // At most `pipes` pipes with room for `bytes` each. Takes effect as pipes come back.
  void set_limits(std::size_t pipes, std::size_t bytes) noexcept;

  // The pipe for the next round, which is empty, or nullptr.
  [[nodiscard]] PooledPipe* round_pipe(sys::TimePoint now) noexcept;
  // Hands the pipe that round_pipe() just gave to the connection that owes its bytes.
  [[nodiscard]] ReplyPtr take_round_pipe() noexcept;

  // Pipes that exist.
  [[nodiscard]] std::size_t open_pipes() const noexcept { return open_; }

 private:
  friend class PooledPipe;

  [[nodiscard]] bool open_one() noexcept;
  void release(PooledPipe* pipe) noexcept;
  void destroy(PooledPipe* pipe) noexcept;
  void close_free() noexcept;

  Counters& counters_;
  std::size_t most_ = 0;
  std::size_t pipe_bytes_ = 0;
  std::size_t open_ = 0;
  PooledPipe* free_ = nullptr;  // The first of them is the round's pipe.
  sys::TimePoint next_attempt_{};
};

}  // namespace echod
