#include "local_sender.hpp"

#include <cerrno>
#include <cstddef>

namespace echod::sys {

LocalSender::LocalSender(std::string_view receiver) noexcept {
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
  // The 0 that ends a path counts; in an abstract name it would be a part of it.
  length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + receiver.size() +
                                   (is_abstract ? 0 : 1));
  fd_ = UniqueFd::adopt(calls::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

bool LocalSender::send(std::string_view datagram) const noexcept {
  if (!is_open() ||
      calls::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&receiver_), length_) != 0) {
    return false;
  }
  ssize_t sent = 0;
  do {
    sent = calls::send(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

}  // namespace echod::sys
