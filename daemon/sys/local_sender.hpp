// Sends datagrams to a socket of this host (AF_UNIX, SOCK_DGRAM, unix(7)).
//
// Thread-safety: one thread at a time. Blocks only until the deadline of send().
#pragma once

#include <sys/un.h>

#include <string_view>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class LocalSender {
 public:
  // `receiver` is an absolute path, or '@' and a name in the abstract namespace. With another
  // or a longer text the sender is not open. Throws std::system_error if the socket cannot be
  // created.
  explicit LocalSender(std::string_view receiver);

  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // The sender must be open. Opens no descriptor. Sends to the socket that has the receiver's name
  // at this moment. Waits until `deadline` while the receiver's queue is full, then fails with
  // EAGAIN.
  [[nodiscard]] IoResult send(std::string_view datagram,
                              TimePoint deadline = kNoWait) const noexcept;
  static constexpr TimePoint kNoWait{};  // A deadline in the past.

 private:
  sockaddr_un receiver_{};
  socklen_t length_ = 0;
  UniqueFd fd_;
};

}  // namespace echod::sys
