#include "accept_policy.hpp"

#include <cerrno>

namespace echod {

AcceptVerdict verdict_on_accept(int error) noexcept {
  switch (error) {
    case EAGAIN:
      return AcceptVerdict::done;
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
      return AcceptVerdict::retry;
    case EBADF:
    case EFAULT:
    case EINVAL:
    case ENOTSOCK:
      return AcceptVerdict::fatal;
    default:
      return AcceptVerdict::pause;
  }
}

}  // namespace echod
