#include "accept_policy.hpp"

#include <cerrno>

namespace echod {

AcceptVerdict verdict_on_accept(int error) noexcept {
  switch (error) {
    case EAGAIN:
      return AcceptVerdict::done;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptVerdict::pause;
    case EBADF:
    case EFAULT:
    case EINVAL:
    case ENOTSOCK:
      return AcceptVerdict::fatal;
    default:
      return AcceptVerdict::retry;
  }
}

}  // namespace echod
