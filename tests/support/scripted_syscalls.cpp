// Implements daemon/sys/syscalls.hpp: calls go to the ScriptedKernel if there is one, else to the
// real kernel.
#include "scripted_syscalls.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <span>
#include <string>

#include "sys/syscalls.hpp"

namespace echod::sys::calls {

using test::Call;
using test::ScriptedKernel;

int socket(int domain, int type, int protocol) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr
             ? kernel->on_create(Call::socket, "socket(domain " + std::to_string(domain) + ')')
             : ::socket(domain, type, protocol);
}

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_bind(fd, address, length) : ::bind(fd, address, length);
}

int listen(int fd, int backlog) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_simple(Call::listen, fd, backlog,
                                               "listen(fd " + std::to_string(fd) + ", backlog " +
                                                   std::to_string(backlog) + ')')
                           : ::listen(fd, backlog);
}

int connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_connect(fd, address, length)
                           : ::connect(fd, address, length);
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_accept(fd, address, length)
                           : ::accept4(fd, address, length, flags);
}

int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_getsockname(fd, address, length)
                           : ::getsockname(fd, address, length);
}

int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_getpeername(fd, address, length)
                           : ::getpeername(fd, address, length);
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_setsockopt(fd, level, option, value, length)
                           : ::setsockopt(fd, level, option, value, length);
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_getsockopt(fd, level, option, value, length)
                           : ::getsockopt(fd, level, option, value, length);
}

ssize_t recv(int fd, void* data, size_t length, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_recv(fd, data, length, flags)
                           : ::recv(fd, data, length, flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_recvmsg(fd, message, flags) : ::recvmsg(fd, message, flags);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_recvmmsg(fd, messages, count)
                           : ::recvmmsg(fd, messages, count, flags, nullptr);
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_sendmmsg(fd, messages, count)
                           : ::sendmmsg(fd, messages, count, flags);
}

ssize_t send(int fd, const void* data, size_t length, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_send(fd, data, length, flags)
                           : ::send(fd, data, length, flags);
}

int shutdown(int fd, int how) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_simple(Call::shutdown, fd, how,
                                               "shutdown(fd " + std::to_string(fd) + ", how " +
                                                   std::to_string(how) + ')')
                           : ::shutdown(fd, how);
}

int ioctl(int fd, unsigned long request, int* value) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_ioctl(fd, request, value) : ::ioctl(fd, request, value);
}

int epoll_create1(int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_create(Call::epoll_create1, "epoll_create1()")
                           : ::epoll_create1(flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_epoll_ctl(operation, fd, event)
                           : ::epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_epoll_wait(events, capacity, timeout_ms)
                           : ::epoll_wait(epoll, events, capacity, timeout_ms);
}

int eventfd(unsigned initial, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_create(Call::eventfd, "eventfd()")
                           : ::eventfd(initial, flags);
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_create(Call::signalfd, "signalfd()")
                           : ::signalfd(fd, mask, flags);
}

int timerfd_create(clockid_t clock, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_create(Call::timerfd_create, "timerfd_create()")
                           : ::timerfd_create(clock, flags);
}

int timerfd_settime(int fd, int flags, const itimerspec* time) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_timer_set(fd, flags, time)
                           : ::timerfd_settime(fd, flags, time, nullptr);
}

int pipe2(int* ends, int flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_pipe(ends, flags) : ::pipe2(ends, flags);
}

int fcntl(int fd, int command, int value) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_fcntl(fd, command, value) : ::fcntl(fd, command, value);
}

ssize_t splice(int from, int to, size_t length, unsigned flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_splice(from, to, length, flags)
                           : ::splice(from, nullptr, to, nullptr, length, flags);
}

int open(const char* path, int flags, mode_t mode) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_open(path) : ::open(path, flags, mode);
}

int openat(int directory, const char* path, int flags, mode_t mode) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_open(path) : ::openat(directory, path, flags, mode);
}

ssize_t read(int fd, void* data, size_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_read(fd, data, length) : ::read(fd, data, length);
}

ssize_t write(int fd, const void* data, size_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_write(fd, data, length) : ::write(fd, data, length);
}

// Not scripted: asks the real kernel, unless the test has set the type of the file.
int fstat(int fd, struct stat* status) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  if (kernel != nullptr && kernel->file_type(fd)) {
    *status = {};
    status->st_mode = *kernel->file_type(fd);
    return 0;
  }
  return ::fstat(fd, status);
}

int lstat(const char* path, struct stat* status) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_lstat(path, status) : ::lstat(path, status);
}

int fchmod(int fd, mode_t mode) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_simple(Call::fchmod, fd, mode,
                                               "fchmod(fd " + std::to_string(fd) + ", mode " +
                                                   std::to_string(mode) + ')')
                           : ::fchmod(fd, mode);
}

int chmod(const char* path, mode_t mode) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_path(Call::chmod, path) : ::chmod(path, mode);
}

int lchown(const char* path, uid_t owner, gid_t group) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_path(Call::lchown, path) : ::lchown(path, owner, group);
}

int flock(int fd, int operation) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_simple(Call::flock, fd, operation,
                                               "flock(fd " + std::to_string(fd) + ", operation " +
                                                   std::to_string(operation) + ')')
                           : ::flock(fd, operation);
}

int memfd_create(const char* name, unsigned flags) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_memfd(flags) : ::memfd_create(name, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_simple(Call::fallocate, fd, length,
                                               "fallocate(fd " + std::to_string(fd) + ", length " +
                                                   std::to_string(length) + ')')
                           : ::fallocate(fd, mode, offset, length);
}

// No script has these two: they are made for real files and memory.
ssize_t pread(int fd, void* data, size_t length, off_t offset) noexcept {
  return ::pread(fd, data, length, offset);
}
int madvise(void* address, size_t length, int advice) noexcept {
  return ::madvise(address, length, advice);
}

ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_pwrite(fd, data, length, offset)
                           : ::pwrite(fd, data, length, offset);
}

void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_mmap(fd, length)
                           : ::mmap(address, length, protection, flags, fd, offset);
}

int munmap(void* address, size_t length) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_munmap(address, length) : ::munmap(address, length);
}

int rename(const char* from, const char* to) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_path(Call::rename, from) : ::rename(from, to);
}

int unlink(const char* path) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_path(Call::unlink, path) : ::unlink(path);
}

int poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept {
  if (ScriptedKernel::active() == nullptr) {
    return ::poll(fds, count, timeout_ms);
  }
  int ready = 0;
  for (pollfd& waiting : std::span(fds, count)) {
    const bool is_ready = ScriptedKernel::active()->is_ready(waiting.fd);
    waiting.revents = is_ready ? waiting.events : short{0};
    ready += is_ready ? 1 : 0;
  }
  return ready;
}

int close(int fd) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_close(fd) : ::close(fd);
}

int getrlimit(int resource, rlimit* limit) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  if (kernel == nullptr || resource != static_cast<int>(RLIMIT_NOFILE)) {
    return ::getrlimit(static_cast<__rlimit_resource_t>(resource), limit);
  }
  *limit = {.rlim_cur = kernel->open_files(), .rlim_max = kernel->hard_limit()};
  return 0;
}

int setrlimit(int resource, const rlimit* limit) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  return kernel != nullptr ? kernel->on_setrlimit(limit->rlim_cur, limit->rlim_max)
                           : ::setrlimit(static_cast<__rlimit_resource_t>(resource), limit);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  ScriptedKernel* const kernel = ScriptedKernel::active();
  if (kernel == nullptr) {
    return ::clock_gettime(clock, time);
  }
  constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
  const std::int64_t nanos = kernel->read_clock(clock).count();
  time->tv_sec = nanos / kNanosPerSecond;
  time->tv_nsec = nanos % kNanosPerSecond;
  return 0;
}

}  // namespace echod::sys::calls
