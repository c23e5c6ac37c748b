// Owner of one pipe(2) through which splice(2) moves bytes from a socket back into that socket, so
// that nothing is copied. No call blocks. All are made again when a signal interrupts them.
//
// splice(2) has no MSG_NOSIGNAL: the process must ignore SIGPIPE (process.hpp).
//
// Thread-safety: none; one thread uses a pipe.
#pragma once

#include <cstddef>
#include <span>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class Pipe {
 public:
  // Opens the pipe and asks the kernel for room for `bytes`. The count is the room that it has now,
  // which is less if the user's pipes take too much memory already (pipe-user-pages-soft, pipe(7)).
  IoResult open(std::size_t bytes) noexcept;

  // Moves at most `most` bytes from the socket's receive queue into the pipe, which must be empty:
  // then EAGAIN means that the queue is empty or begins with an urgent mark. A count of 0 is the
  // peer's FIN, or an urgent mark before it. Fewer bytes than `most` say nothing: the pipe has a
  // slot for each piece of a page, and may have run out of them.
  IoResult splice_in(int socket, std::size_t most) const noexcept;
  // Moves the `bytes` that the pipe holds into the socket's send queue. Only EAGAIN means that the
  // send queue is full: a count below `bytes` may be that of a call which a signal has ended early.
  // An error that comes after the first bytes is lost; the next call says EPIPE then.
  IoResult splice_out(int socket, std::size_t bytes) const noexcept;
  // Takes bytes out of the pipe.
  IoResult read(std::span<std::byte> into) const noexcept;

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

}  // namespace echod::sys
