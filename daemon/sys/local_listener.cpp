#include "sys/local_listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/un.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

constexpr std::string_view kTemporarySuffix = ".new";
static_assert(kLongestLocalPath + kTemporarySuffix.size() < sizeof(sockaddr_un::sun_path));

[[noreturn]] void throw_error(int error, const std::string& call) {
  throw std::system_error(error, std::system_category(), call);
}

// Throws if a call that returned `returned` has failed.
void require_success(int returned, const char* call, const std::string& path) {
  if (returned < 0) {
    throw_error(errno, call + (' ' + path));
  }
}

// Throws unless `path` names a file and fits into a socket's address.
void require_usable(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw_error(EINVAL, "the path of a socket");
  }
  if (path.size() > kLongestLocalPath) {
    throw_error(ENAMETOOLONG, "bind " + path);
  }
}

sockaddr_un address_at(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

UniqueFd open_local_socket() {
  UniqueFd fd =
      UniqueFd::adopt(calls::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) {
    throw_error(errno, "socket");
  }
  return fd;
}

// The mode keeps others from taking the lock.
UniqueFd lock_beside(const std::string& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  constexpr mode_t kOwnerOnly = 0600;
  const std::string name = path + ".lock";
  const IoResult opened =
      retry_on_eintr([&name] { return calls::open(name.c_str(), kFlags, kOwnerOnly); });
  if (!opened.ok()) {
    throw_error(opened.error(), "open " + name);
  }
  UniqueFd lock = UniqueFd::adopt(static_cast<int>(opened.count()));
  const IoResult locked =
      retry_on_eintr([&lock] { return calls::flock(lock.get(), LOCK_EX | LOCK_NB); });
  if (!locked.ok()) {
    throw_error(locked.would_block() ? EADDRINUSE : locked.error(), "flock " + name);
  }
  return lock;
}

// Whether there is a file at `path`. Throws if it is not a socket.
bool has_socket(const std::string& path) {
  struct stat status {};
  if (calls::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return false;
    }
    throw_error(errno, "lstat " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    throw_error(ENOTSOCK, "lstat " + path);
  }
  return true;
}

// Throws unless the socket at `path` belongs to no process any more. EAGAIN: a live server's accept
// queue is full.
void require_dead(const std::string& path) {
  const UniqueFd probe = open_local_socket();
  const sockaddr_un address = address_at(path);
  const IoResult connected = IoResult::of(
      calls::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  if (connected.error() == ECONNREFUSED || connected.error() == ENOENT) {
    return;
  }
  const bool is_live = connected.ok() || connected.would_block();
  throw_error(is_live ? EADDRINUSE : connected.error(), "connect to " + path);
}

UniqueFd bind_at(const std::string& path, mode_t mode) {
  UniqueFd fd = open_local_socket();
  // The file is born with this mode less the umask: never with more.
  require_success(calls::fchmod(fd.get(), mode), "fchmod", path);
  const sockaddr_un address = address_at(path);
  require_success(
      calls::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind",
      path);
  return fd;
}

// Sets the mode, and owner and group if they are wanted, of the file at `path`.
void set_access_of(const std::string& path, const LocalListenerOptions& options) {
  require_success(calls::chmod(path.c_str(), options.mode), "chmod", path);
  if (options.owner || options.group) {
    constexpr auto kKeepOwner = static_cast<uid_t>(-1);
    constexpr auto kKeepGroup = static_cast<gid_t>(-1);
    require_success(calls::lchown(path.c_str(), options.owner.value_or(kKeepOwner),
                                  options.group.value_or(kKeepGroup)),
                    "lchown", path);
  }
}

// Returns nothing if there is no file.
std::optional<FileId> file_at(const std::string& path) noexcept {
  struct stat status {};
  if (calls::lstat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileId{.device = status.st_dev, .inode = status.st_ino};
}

// Takes the lock on `path` and returns it. Throws if a live server has a socket there.
UniqueFd reserve(const std::string& path) {
  require_usable(path);
  UniqueFd lock = lock_beside(path);
  if (has_socket(path)) {
    require_dead(path);
  }
  return lock;
}

}  // namespace

LocalListener::LocalListener(const LocalListenerOptions& options) : path_(options.path) {
  lock_ = reserve(path_);
  const std::string temporary = path_ + std::string(kTemporarySuffix);
  if (has_socket(temporary)) {  // A process has ended between bind and rename.
    require_dead(temporary);
    require_success(calls::unlink(temporary.c_str()), "unlink", temporary);
  }
  socket_ = bind_at(temporary, options.mode);
  try {
    set_access_of(temporary, options);  // No client can connect yet.
    const std::optional<FileId> file = file_at(temporary);
    if (!file) {
      throw_error(errno, "lstat " + temporary);
    }
    file_ = *file;
    require_success(calls::listen(socket_.get(), options.backlog), "listen", temporary);
    require_success(calls::rename(temporary.c_str(), path_.c_str()), "rename to", path_);
  } catch (const std::system_error&) {
    (void)calls::unlink(temporary.c_str());  // If this fails, the next attempt removes it.
    throw;
  }
}

LocalListener::LocalListener(std::string path, FileId file, UniqueFd socket, UniqueFd lock) noexcept
    : path_(std::move(path)), file_(file), lock_(std::move(lock)), socket_(std::move(socket)) {}

LocalListener::~LocalListener() {
  close();
}

LocalListener::LocalListener(LocalListener&& other) noexcept
    : path_(std::move(other.path_)),
      file_(other.file_),
      lock_(std::move(other.lock_)),
      socket_(std::move(other.socket_)) {}

LocalListener& LocalListener::operator=(LocalListener&& other) noexcept {
  if (this != &other) {
    close();
    path_ = std::move(other.path_);
    file_ = other.file_;
    lock_ = std::move(other.lock_);
    socket_ = std::move(other.socket_);
  }
  return *this;
}

bool LocalListener::has_path() const noexcept {
  return lock_.is_open() && file_at(path_) == file_;
}

void LocalListener::set_access(const LocalListenerOptions& options) const {
  if (has_path()) {
    set_access_of(path_, options);
  }
}

void LocalListener::close() noexcept {
  if (has_path()) {
    (void)calls::unlink(path_.c_str());  // The next process replaces it if this fails.
  }
  socket_.reset();
  lock_.reset();
}

void require_local_listenable(const std::string& path) {
  (void)reserve(path);
}

}  // namespace echod::sys
