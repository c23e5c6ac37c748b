// The pipes through which a worker splices, up to a limit.
//
// A round goes through the pool's round pipe, as a read goes into the reading block of
// buffer_pool.hpp. If the kernel does not accept all of a reply, that pipe moves to the connection
// that owes the rest, and the next round gets another pipe. A pipe that comes back empty is used
// again. It is closed if it has bytes in it or another size than is set now.
//
// Pipes are opened when they are needed. If no pipe can be opened, or the kernel makes it too
// small, the pool tries again after a second.
//
// Thread-safety: one pool for each worker, used by its thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "echo/reply.hpp"
#include "sys/clock.hpp"
#include "sys/pipe.hpp"
#include "telemetry/counters.hpp"

namespace echod {

class PipePool;

// A pipe that knows how many bytes are in it.
class PooledPipe final : public Reply {
 public:
  // Splices at most `most` bytes from the socket into the pipe, which must be empty.
  sys::IoResult fill(int socket, std::size_t most) noexcept;
  // Reads everything out of the pipe. `into` must be large enough. Returns 0 or an errno.
  [[nodiscard]] int read(std::span<std::byte> into) noexcept;

  [[nodiscard]] std::size_t size() const noexcept override { return bytes_; }
  sys::IoResult send(int socket) noexcept override;
  void describe(ParkedConnection& parked) noexcept override;

 private:
  friend class PipePool;

  explicit PooledPipe(PipePool& pool) noexcept : pool_(pool) {}
  void give_back() noexcept override;

  PipePool& pool_;
  PooledPipe* next_free_ = nullptr;
  sys::Pipe pipe_;
  std::size_t bytes_ = 0;
  std::size_t capacity_ = 0;  // As asked for. 0: not known, because another program made the pipe.
};

class PipePool {
 public:
  static constexpr std::chrono::seconds kRetryInterval{1};

  // `counters` must outlive it.
  explicit PipePool(Counters& counters) noexcept : counters_(counters) {}
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  // Allows `pipes` pipes of `bytes` each. Does not change pipes in use.
  void set_limits(std::size_t pipes, std::size_t bytes) noexcept;

  // Returns the pipe for the next round, which is empty, or nullptr if there is none.
  [[nodiscard]] PooledPipe* round_pipe(sys::TimePoint now) noexcept;
  // Moves the pipe that round_pipe() just returned to the caller, which then owes its bytes.
  [[nodiscard]] ReplyPtr detach_round_pipe() noexcept;

  // Takes over a pipe that holds `bytes` and returns it as a reply that is owed. It may exceed the
  // limit on pipes. Returns nullptr if there is not enough memory; the caller then keeps the pipe.
  [[nodiscard]] ReplyPtr restore(int read_end, int write_end, std::size_t bytes) noexcept;

  // Number of pipes that exist, free and in use.
  [[nodiscard]] std::size_t open_pipes() const noexcept { return open_; }

 private:
  friend class PooledPipe;

  [[nodiscard]] bool open_one() noexcept;
  void take_back(PooledPipe* pipe) noexcept;
  void destroy(PooledPipe* pipe) noexcept;
  void close_free() noexcept;

  Counters& counters_;
  std::size_t most_ = 0;
  std::size_t pipe_bytes_ = 0;
  std::size_t open_ = 0;
  PooledPipe* free_ = nullptr;  // Free pipes; the first one is the round pipe.
  sys::TimePoint next_attempt_{};
};

}  // namespace echod
