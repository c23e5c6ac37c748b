// A listening UNIX stream socket at a path (unix(7)). It takes the place of a socket that a dead
// process left behind, but never that of a live one, nor that of a file of another type.
//
// - A lock (flock(2)) on the file PATH.lock decides between processes that open the same path. The
//   kernel releases the lock when its owner ends, even by a crash. The file stays: another process
//   may be about to lock it.
// - A connection attempt finds a live server that does not use the lock, such as a service manager.
// - The socket is made as PATH.new and renamed when it has its mode and owner and listens. So the
//   path always leads to a server that accepts, also during a change from one server to another.
// - At the end the path is removed only if it still leads to this socket.
//
// Owns the sockets and the lock. Thread-safety: none. Blocks on the file system of the path only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "sys/unique_fd.hpp"

namespace echod::sys {

struct LocalListenerOptions {
  std::string path;    // Absolute; at most kLongestLocalPath bytes.
  int backlog = 1024;  // When it is full, a connection attempt fails with EAGAIN.
  mode_t mode = 0660;  // To connect, write permission is needed. The umask is not used.
  // By default those of any file that this process creates.
  std::optional<uid_t> owner = std::nullopt;
  std::optional<gid_t> group = std::nullopt;
};

// The longest path: its temporary name must fit into a sockaddr_un.
inline constexpr std::size_t kLongestLocalPath = 103;

class LocalListener {
 public:
  // Listens on nothing.
  LocalListener() noexcept = default;
  // Opens a non-blocking listener. Throws std::system_error that names the failed call. The codes
  // that callers may tell apart: EADDRINUSE if another process serves the path, ENOTSOCK if a file
  // of another type is there, ENAMETOOLONG.
  explicit LocalListener(const LocalListenerOptions& options);
  // Takes over the socket and the lock of a listener of another program that served `path`.
  LocalListener(std::string path, UniqueFd socket, UniqueFd lock) noexcept;
  ~LocalListener();
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&& other) noexcept;
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] int lock_fd() const noexcept { return lock_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Removes the path if it is still that of this socket, and closes the socket.
  void close() noexcept;

 private:
  std::string path_;
  UniqueFd lock_;
  UniqueFd socket_;
  dev_t device_ = 0;  // Device and inode of the path.
  ino_t inode_ = 0;
};

}  // namespace echod::sys
