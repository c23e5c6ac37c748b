#include "echo/pipe_pool.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "echo/parked_connection.hpp"
#include "sys/invariant.hpp"

namespace echod {

sys::IoResult PooledPipe::fill(int socket, std::size_t most) noexcept {
  invariant(bytes_ == 0, "a round begins with an empty pipe");
  const sys::IoResult filled = pipe_.splice_in(socket, most);
  bytes_ = filled.count();
  return filled;
}

int PooledPipe::read(std::span<std::byte> into) noexcept {
  std::size_t read = 0;
  while (bytes_ > 0) {
    const sys::IoResult got = pipe_.read(into.subspan(read, bytes_));
    if (got.count() == 0) {
      return got.ok() ? EIO : got.error();  // Unexpected: the bytes are in the pipe.
    }
    read += got.count();
    bytes_ -= got.count();
  }
  return 0;
}

// Splices until the kernel accepts no more. A short count proves nothing: a signal such as SIGSTOP
// also ends a call early, and then no EPOLLOUT would come.
sys::IoResult PooledPipe::send(int socket) noexcept {
  const std::size_t before = bytes_;
  sys::IoResult sent = pipe_.splice_out(socket, bytes_);
  while (sent.count() > 0) {
    bytes_ -= sent.count();
    if (bytes_ == 0) {
      break;
    }
    sent = pipe_.splice_out(socket, bytes_);
  }
  const bool is_failed = !sent.ok() && !sent.would_block();
  return is_failed || bytes_ == before ? sent
                                       : sys::IoResult::of(static_cast<ssize_t>(before - bytes_));
}

void PooledPipe::describe(ParkedConnection& parked) noexcept {
  parked.pipe_read_end = pipe_.read_end();
  parked.pipe_write_end = pipe_.write_end();
  parked.pipe_bytes = bytes_;
}

void PooledPipe::give_back() noexcept {
  pool_.take_back(this);
}

PipePool::~PipePool() {
  close_free();
  invariant(open_ == 0, "pipes come back before their pool is destroyed");
}

void PipePool::set_limits(std::size_t pipes, std::size_t bytes) noexcept {
  most_ = pipes;
  pipe_bytes_ = bytes;
  close_free();
}

PooledPipe* PipePool::round_pipe(sys::TimePoint now) noexcept {
  if (free_ != nullptr) {
    return free_;
  }
  if (open_ < most_ && now >= next_attempt_) {
    if (open_one()) {
      return free_;
    }
    next_attempt_ = now + kRetryInterval;
  }
  counters_.add(Counter::splice_no_pipe);
  return nullptr;
}

ReplyPtr PipePool::detach_round_pipe() noexcept {
  invariant(free_ != nullptr, "a pipe is detached after its round");
  return ReplyPtr(std::exchange(free_, free_->next_free_));
}

ReplyPtr PipePool::restore(int read_end, int write_end, std::size_t bytes) noexcept {
  auto* const pipe = new (std::nothrow) PooledPipe(*this);
  if (pipe != nullptr) {
    ++open_;
    pipe->pipe_.adopt(read_end, write_end);
    pipe->bytes_ = bytes;
  }
  return ReplyPtr(pipe);
}

bool PipePool::open_one() noexcept {
  auto* const pipe = new (std::nothrow) PooledPipe(*this);
  if (pipe == nullptr) {
    return false;
  }
  ++open_;
  const sys::IoResult room = pipe->pipe_.open(pipe_bytes_);
  if (room.count() < pipe_bytes_) {
    if (room.ok()) {
      counters_.add(Counter::splice_pipe_too_small);
    }
    destroy(pipe);
    return false;
  }
  pipe->capacity_ = pipe_bytes_;
  free_ = pipe;
  return true;
}

void PipePool::take_back(PooledPipe* pipe) noexcept {
  if (pipe->bytes_ > 0 || open_ > most_ || pipe->capacity_ != pipe_bytes_) {
    destroy(pipe);
    return;
  }
  pipe->next_free_ = free_;
  free_ = pipe;
}

void PipePool::destroy(PooledPipe* pipe) noexcept {
  delete pipe;
  --open_;
}

void PipePool::close_free() noexcept {
  while (free_ != nullptr) {
    destroy(std::exchange(free_, free_->next_free_));
  }
}

}  // namespace echod
