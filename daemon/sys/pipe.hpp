// Owns one pipe(2). splice(2) moves bytes through it from a socket back to that socket without
// copying them.
//
// Thread-safety: none; one thread uses a pipe. Never blocks. Retries after EINTR.
//
// splice(2) has no MSG_NOSIGNAL: the process must ignore SIGPIPE (process.hpp).
#pragma once

#include <cstddef>
#include <span>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class Pipe {
 public:
  // Opens the pipe and requests a capacity of `bytes`. The count is its capacity, which is smaller
  // if the user's pipes have too much memory already (pipe-user-pages-soft, pipe(7)).
  IoResult open(std::size_t bytes) noexcept;
  // Takes over the ends of a pipe.
  void adopt(int read_end, int write_end) noexcept;

  [[nodiscard]] int read_end() const noexcept { return read_end_.get(); }
  [[nodiscard]] int write_end() const noexcept { return write_end_.get(); }

  // Moves at most `most` bytes from the socket's receive queue to the pipe, which must be empty.
  // EAGAIN means that the queue is empty or begins with an urgent mark. A count of 0 is the peer's
  // FIN, or an urgent mark before it. A count below `most` does not mean that the queue is empty:
  // the pipe has a slot for each piece of a page, and may have no free slot left.
  IoResult splice_in(int socket, std::size_t most) const noexcept;
  // Moves the `bytes` that are in the pipe to the socket's send queue. Only EAGAIN means that the
  // send queue is full: after a count below `bytes`, a signal may have ended the call early. An
  // error that occurs after the first bytes is lost; the next call then fails with EPIPE.
  IoResult splice_out(int socket, std::size_t bytes) const noexcept;
  // Reads bytes from the pipe.
  IoResult read(std::span<std::byte> into) const noexcept;

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

}  // namespace echod::sys
