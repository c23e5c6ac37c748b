// Implements daemon/sys/syscalls.hpp by the simulated kernel. It has the calls that connections
// need. Any other call is a mistake of the test and aborts it.
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "simulated_kernel.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys::calls {

namespace {

using test::SimulatedKernel;

template <typename T>
T returned(std::int64_t result) noexcept {
  if (result >= 0) {
    return static_cast<T>(result);
  }
  errno = static_cast<int>(-result);
  return T{-1};
}

[[noreturn]] void is_not_simulated(const char* call) noexcept {
  (void)std::fprintf(stderr, "%s is not simulated\n", call);
  std::abort();
}

}  // namespace

ssize_t recv(int fd, void* data, size_t length, int flags) noexcept {
  SimulatedKernel& kernel = SimulatedKernel::active();
  const std::span into(static_cast<std::byte*>(data), length);
  return returned<ssize_t>((flags & MSG_TRUNC) != 0
                               ? kernel.on_discard(fd, into)
                               : kernel.on_recv(fd, into, (flags & MSG_PEEK) != 0));
}

// Has one buffer. The kernel noted no time.
ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  SimulatedKernel& kernel = SimulatedKernel::active();
  if (message->msg_control != nullptr) {
    kernel.check_control_data();
  }
  message->msg_controllen = 0;
  const ssize_t bytes = recv(fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags);
  message->msg_flags = bytes > 0 && kernel.stopped_at_descriptor(fd) ? MSG_CTRUNC : 0;
  return bytes;
}

ssize_t send(int fd, const void* data, size_t length, int /*flags*/) noexcept {
  return returned<ssize_t>(
      SimulatedKernel::active().on_send(fd, {static_cast<const std::byte*>(data), length}));
}

int shutdown(int fd, int /*how*/) noexcept {
  return returned<int>(SimulatedKernel::active().on_shutdown(fd));
}

int ioctl(int fd, unsigned long request, int* value) noexcept {
  const std::int64_t length = SimulatedKernel::active().on_queue_length(fd, request == SIOCINQ);
  *value = static_cast<int>(length);
  return returned<int>(length < 0 ? length : 0);
}

int getsockopt(int fd, int /*level*/, int /*option*/, void* value, socklen_t* /*length*/) noexcept {
  *static_cast<int*>(value) = SimulatedKernel::active().on_take_error(fd);
  return 0;
}

int setsockopt(int fd, int /*level*/, int option, const void* /*value*/,
               socklen_t /*length*/) noexcept {
  if (option != SO_LINGER) {
    is_not_simulated("setsockopt, except SO_LINGER");
  }
  return returned<int>(SimulatedKernel::active().on_reset_on_close(fd));
}

int epoll_create1(int /*flags*/) noexcept {
  return SimulatedKernel::active().on_epoll_create();
}

int epoll_ctl(int /*epoll*/, int operation, int fd, epoll_event* event) noexcept {
  if (operation == EPOLL_CTL_DEL) {
    is_not_simulated("EPOLL_CTL_DEL");
  }
  return returned<int>(
      SimulatedKernel::active().on_register(fd, operation == EPOLL_CTL_ADD, *event));
}

int epoll_wait(int /*epoll*/, epoll_event* events, int capacity, int timeout_ms) noexcept {
  return SimulatedKernel::active().on_wait({events, static_cast<std::size_t>(capacity)},
                                           timeout_ms);
}

int eventfd(unsigned /*initial*/, int /*flags*/) noexcept {
  return SimulatedKernel::active().on_eventfd();
}

int pipe2(int* ends, int /*flags*/) noexcept {
  return returned<int>(SimulatedKernel::active().on_pipe(std::span<int, 2>(ends, 2)));
}

int fcntl(int fd, int command, int value) noexcept {
  if (command != F_SETPIPE_SZ && command != F_GETPIPE_SZ) {
    is_not_simulated("fcntl() with another command");
  }
  return returned<int>(SimulatedKernel::active().on_pipe_size(fd, value));
}

ssize_t splice(int from, int to, size_t length, unsigned /*flags*/) noexcept {
  return returned<ssize_t>(SimulatedKernel::active().on_splice(from, to, length));
}

ssize_t read(int fd, void* data, size_t length) noexcept {
  if (fd != SimulatedKernel::kEventFd) {
    return returned<ssize_t>(
        SimulatedKernel::active().on_read(fd, {static_cast<std::byte*>(data), length}));
  }
  *static_cast<std::uint64_t*>(data) = 1;
  return returned<ssize_t>(SimulatedKernel::active().on_eventfd_read()
                               ? std::int64_t{sizeof(std::uint64_t)}
                               : std::int64_t{-EAGAIN});
}

ssize_t write(int /*fd*/, const void* /*data*/, size_t length) noexcept {
  SimulatedKernel::active().on_eventfd_write();
  return static_cast<ssize_t>(length);
}

int close(int fd) noexcept {
  return SimulatedKernel::active().on_close(fd);
}

int clock_gettime(clockid_t /*clock*/, timespec* time) noexcept {
  const std::chrono::nanoseconds now = SimulatedKernel::active().now();
  constexpr std::int64_t kSecond = std::chrono::nanoseconds::period::den;
  *time = {.tv_sec = now.count() / kSecond, .tv_nsec = now.count() % kSecond};
  return 0;
}

// NOLINTBEGIN(readability-named-parameter): they are unused; syscalls.hpp has their names.
int socket(int, int, int) noexcept {
  is_not_simulated("socket");
}
int bind(int, const sockaddr*, socklen_t) noexcept {
  is_not_simulated("bind");
}
int listen(int, int) noexcept {
  is_not_simulated("listen");
}
int connect(int, const sockaddr*, socklen_t) noexcept {
  is_not_simulated("connect");
}
int accept4(int, sockaddr*, socklen_t*, int) noexcept {
  is_not_simulated("accept4");
}
int getsockname(int, sockaddr*, socklen_t*) noexcept {
  is_not_simulated("getsockname");
}
int getpeername(int, sockaddr*, socklen_t*) noexcept {
  is_not_simulated("getpeername");
}
int recvmmsg(int, mmsghdr*, unsigned, int) noexcept {
  is_not_simulated("recvmmsg");
}
int sendmmsg(int, mmsghdr*, unsigned, int) noexcept {
  is_not_simulated("sendmmsg");
}
int signalfd(int, const sigset_t*, int) noexcept {
  is_not_simulated("signalfd");
}
int timerfd_create(clockid_t, int) noexcept {
  is_not_simulated("timerfd_create");
}
int timerfd_settime(int, int, const itimerspec*) noexcept {
  is_not_simulated("timerfd_settime");
}
int open(const char*, int, mode_t) noexcept {
  is_not_simulated("open");
}
int openat(int, const char*, int, mode_t) noexcept {
  is_not_simulated("openat");
}
int fstat(int, struct stat*) noexcept {
  is_not_simulated("fstat");
}
int lstat(const char*, struct stat*) noexcept {
  is_not_simulated("lstat");
}
int fchmod(int, mode_t) noexcept {
  is_not_simulated("fchmod");
}
int chmod(const char*, mode_t) noexcept {
  is_not_simulated("chmod");
}
int lchown(const char*, uid_t, gid_t) noexcept {
  is_not_simulated("lchown");
}
int flock(int, int) noexcept {
  is_not_simulated("flock");
}
int memfd_create(const char*, unsigned) noexcept {
  is_not_simulated("memfd_create");
}
int fallocate(int, int, off_t, off_t) noexcept {
  is_not_simulated("fallocate");
}
ssize_t pread(int, void*, size_t, off_t) noexcept {
  is_not_simulated("pread");
}
int madvise(void*, size_t, int) noexcept {
  is_not_simulated("madvise");
}
ssize_t pwrite(int, const void*, size_t, off_t) noexcept {
  is_not_simulated("pwrite");
}
void* mmap(void*, size_t, int, int, int, off_t) noexcept {
  is_not_simulated("mmap");
}
int munmap(void*, size_t) noexcept {
  is_not_simulated("munmap");
}
int rename(const char*, const char*) noexcept {
  is_not_simulated("rename");
}
int unlink(const char*) noexcept {
  is_not_simulated("unlink");
}
int poll(pollfd*, nfds_t, int) noexcept {
  is_not_simulated("poll");
}
int getrlimit(int, rlimit*) noexcept {
  is_not_simulated("getrlimit");
}
int setrlimit(int, const rlimit*) noexcept {
  is_not_simulated("setrlimit");
}
// NOLINTEND(readability-named-parameter)

}  // namespace echod::sys::calls
