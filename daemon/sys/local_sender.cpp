#include "sys/local_sender.hpp"

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

#include "sys/wait_ready.hpp"

namespace echod::sys {

LocalSender::LocalSender(std::string_view receiver) {
  const bool is_abstract = receiver.starts_with('@');
  if ((!is_abstract && !receiver.starts_with('/')) ||
      receiver.size() >= sizeof receiver_.sun_path) {
    return;
  }
  receiver_.sun_family = AF_UNIX;
  receiver.copy(receiver_.sun_path, receiver.size());
  if (is_abstract) {
    receiver_.sun_path[0] = '\0';
  }
  // The length includes the 0 that ends a path. An abstract name has no such 0.
  length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + receiver.size() +
                                   (is_abstract ? 0 : 1));
  fd_ = UniqueFd::adopt(calls::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!is_open()) {
    throw std::system_error(errno, std::system_category(), "socket for " + std::string(receiver));
  }
}

IoResult LocalSender::send(std::string_view datagram, TimePoint deadline) const noexcept {
  const IoResult connected = IoResult::of(
      calls::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&receiver_), length_));
  if (!connected.ok()) {
    return connected;
  }
  for (;;) {
    const IoResult sent = IoResult::of(
        calls::send(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    const bool is_writable_now =
        sent.would_block() && deadline != kNoWait && wait_ready(fd_.get(), POLLOUT, deadline) != 0;
    if (!is_writable_now && sent.error() != EINTR) {
      return sent;
    }
  }
}

}  // namespace echod::sys
