// What an error of accept4(2) means for a listener. The only place that maps these errors.
#pragma once

#include <cerrno>
#include <cstdint>

namespace echod {

enum class AcceptVerdict : std::uint8_t {
  done,   // The queue is empty: wait for the next edge.
  retry,  // That one connection is lost: accept the next one.
  // No descriptor (EMFILE, ENFILE), no memory (ENOMEM, ENOBUFS), a rule that forbids it (EPERM), or
  // an unknown errno. The client stays in the queue, and the next call would fail too: try again
  // later, and when a connection ends.
  pause,
  fatal,  // This socket will never accept again.
};

// `error` is the errno of a failed accept4(2). Source: accept(2), "Error handling": Linux also
// returns network errors of the new connection. They lose only that connection.
[[nodiscard]] constexpr AcceptVerdict verdict_on_accept(int error) noexcept {
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
