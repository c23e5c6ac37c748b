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
// Owns the path, the lock and the socket. Thread-safety: none. Blocks on the file system of the
// path only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "config/net/local_path.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

struct LocalListenerOptions {
  std::string path;    // Absolute; at most kLongestLocalPath bytes.
  int backlog = 1024;  // When it is full, a connection attempt fails with EAGAIN.
  mode_t mode = 0660;  // To connect, write permission is needed. The umask is not used.
  // By default those of any file that this process creates, or those that the file has.
  std::optional<uid_t> owner = std::nullopt;
  std::optional<gid_t> group = std::nullopt;
};

// Tells a file from another one that is put in its place.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const FileId&) const noexcept = default;
};

class LocalListener {
 public:
  // Listens on nothing.
  LocalListener() noexcept = default;
  // Opens a non-blocking listener. Throws std::system_error that names the failed call. The codes
  // that callers may tell apart: EADDRINUSE if another process serves the path, ENOTSOCK if a file
  // of another type is there, ENAMETOOLONG.
  explicit LocalListener(const LocalListenerOptions& options);
  // Takes over what a listener of another program had. The file at `path` was `file`.
  LocalListener(std::string path, FileId file, UniqueFd socket, UniqueFd lock) noexcept;
  ~LocalListener();
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&& other) noexcept;
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] int lock_fd() const noexcept { return lock_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] FileId file() const noexcept { return file_; }

  // Gives the socket to the caller. The path and the lock stay, until close().
  [[nodiscard]] UniqueFd release_socket() noexcept { return std::move(socket_); }

  // Gives the path the mode, and the owner and group if they are set. No-op if the path does not
  // lead to this socket any more. Throws std::system_error.
  void set_access(const LocalListenerOptions& options) const;

  // Removes the path if it still leads to this socket, gives up the lock, and closes the socket.
  void close() noexcept;

 private:
  [[nodiscard]] bool has_path() const noexcept;

  std::string path_;
  FileId file_;  // At the path.
  UniqueFd lock_;
  UniqueFd socket_;
};

// Throws the std::system_error that opening a LocalListener at `path` would throw now, as far as
// the path, its lock and the file there decide. Creates no socket, so no client can connect.
void require_local_listenable(const std::string& path);

}  // namespace echod::sys
