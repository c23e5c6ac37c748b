// UNIX stream sockets of a test, made without the code under test.
// Thread-safety: none.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "peer_address.hpp"
#include "sys/unique_fd.hpp"

namespace echod::test {

// A blocking socket, bound to `path`. With a negative backlog it does not listen.
inline sys::UniqueFd bound_to_path(const std::string& path, int backlog = 16) {
  auto fd = sys::UniqueFd::adopt(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = local_address(path);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  if (backlog >= 0) {
    EXPECT_EQ(listen(fd.get(), backlog), 0) << path;
  }
  return fd;
}

// Connects a non-blocking socket. Not open, with errno set, if that fails.
inline sys::UniqueFd connected_to_path(const std::string& path) {
  auto fd = sys::UniqueFd::adopt(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = local_address(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    fd.reset();
    errno = error;
  }
  return fd;
}

}  // namespace echod::test
