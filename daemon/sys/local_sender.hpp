// Datagrams to a socket of this host: AF_UNIX, SOCK_DGRAM, unix(7).
//
// Thread-safety: one thread at a time.
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
  // `receiver` is a path, or a name in the abstract namespace after '@'. Of anything else comes a
  // sender that is not open. Throws std::system_error if there is no descriptor.
  explicit LocalSender(std::string_view receiver);

  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // Must be open. Needs no descriptor. Finds whoever has the receiver's name now. While the
  // receiver has no room, waits for it until `deadline`, and fails with EAGAIN then.
  [[nodiscard]] IoResult send(std::string_view datagram,
                              TimePoint deadline = kNoWait) const noexcept;
  static constexpr TimePoint kNoWait{};  // Long ago.

 private:
  sockaddr_un receiver_{};
  socklen_t length_ = 0;
  UniqueFd fd_;
};

}  // namespace echod::sys
