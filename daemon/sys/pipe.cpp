#include "sys/pipe.hpp"

#include <fcntl.h>

#include <array>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

// Without SPLICE_F_MORE, which delays the last segment even with TCP_NODELAY.
constexpr unsigned kFlags = SPLICE_F_NONBLOCK;

}  // namespace

IoResult Pipe::open(std::size_t bytes) noexcept {
  std::array<int, 2> ends{-1, -1};
  if (calls::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return IoResult::failure(errno);
  }
  read_end_ = UniqueFd::adopt(ends[0]);
  write_end_ = UniqueFd::adopt(ends[1]);
  // F_SETPIPE_SZ may fail, or give less than the default, so the size is read back.
  (void)calls::fcntl(write_end_.get(), F_SETPIPE_SZ, static_cast<int>(bytes));
  return IoResult::of(calls::fcntl(write_end_.get(), F_GETPIPE_SZ, 0));
}

void Pipe::adopt(int read_end, int write_end) noexcept {
  read_end_ = UniqueFd::adopt(read_end);
  write_end_ = UniqueFd::adopt(write_end);
}

IoResult Pipe::splice_in(int socket, std::size_t most) const noexcept {
  return retry_on_eintr([&] { return calls::splice(socket, write_end_.get(), most, kFlags); });
}

IoResult Pipe::splice_out(int socket, std::size_t bytes) const noexcept {
  return retry_on_eintr([&] { return calls::splice(read_end_.get(), socket, bytes, kFlags); });
}

IoResult Pipe::read(std::span<std::byte> into) const noexcept {
  return retry_on_eintr([&] { return calls::read(read_end_.get(), into.data(), into.size()); });
}

}  // namespace echod::sys
