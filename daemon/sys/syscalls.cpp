#include "sys/syscalls.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>

namespace echod::sys::calls {

int socket(int domain, int type, int protocol) noexcept {
  return ::socket(domain, type, protocol);
}

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  return ::bind(fd, address, length);
}

int listen(int fd, int backlog) noexcept {
  return ::listen(fd, backlog);
}

int connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  return ::connect(fd, address, length);
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept {
  return ::accept4(fd, address, length, flags);
}

int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  return ::getsockname(fd, address, length);
}

int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return ::getpeername(fd, address, length);
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  return ::setsockopt(fd, level, option, value, length);
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  return ::getsockopt(fd, level, option, value, length);
}

ssize_t recv(int fd, void* data, size_t length, int flags) noexcept {
  if (data == nullptr) {
    // MSG_TRUNC discards bytes. ThreadSanitizer's recv would report that as a write at address 0,
    // and as a race if two threads do it, so the library's recv is avoided.
    return ::syscall(SYS_recvfrom, fd, nullptr, length, flags, nullptr, nullptr);
  }
  return ::recv(fd, data, length, flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  return ::recvmsg(fd, message, flags);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return ::recvmmsg(fd, messages, count, flags, nullptr);
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return ::sendmmsg(fd, messages, count, flags);
}

ssize_t send(int fd, const void* data, size_t length, int flags) noexcept {
  return ::send(fd, data, length, flags);
}

int shutdown(int fd, int how) noexcept {
  return ::shutdown(fd, how);
}

int ioctl(int fd, unsigned long request, int* value) noexcept {
  return ::ioctl(fd, request, value);
}

int epoll_create1(int flags) noexcept {
  return ::epoll_create1(flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return ::epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept {
  return ::epoll_wait(epoll, events, capacity, timeout_ms);
}

int eventfd(unsigned initial, int flags) noexcept {
  return ::eventfd(initial, flags);
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  return ::signalfd(fd, mask, flags);
}

int timerfd_create(clockid_t clock, int flags) noexcept {
  return ::timerfd_create(clock, flags);
}

int timerfd_settime(int fd, int flags, const itimerspec* time) noexcept {
  return ::timerfd_settime(fd, flags, time, nullptr);
}

int pipe2(int* ends, int flags) noexcept {
  return ::pipe2(ends, flags);
}

int fcntl(int fd, int command, int value) noexcept {
  return ::fcntl(fd, command, value);
}

ssize_t splice(int from, int to, size_t length, unsigned flags) noexcept {
  return ::splice(from, nullptr, to, nullptr, length, flags);
}

int open(const char* path, int flags, mode_t mode) noexcept {
  return ::open(path, flags, mode);
}

int openat(int directory, const char* path, int flags, mode_t mode) noexcept {
  return ::openat(directory, path, flags, mode);
}

ssize_t read(int fd, void* data, size_t length) noexcept {
  return ::read(fd, data, length);
}

ssize_t write(int fd, const void* data, size_t length) noexcept {
  return ::write(fd, data, length);
}

int fstat(int fd, struct stat* status) noexcept {
  return ::fstat(fd, status);
}

int lstat(const char* path, struct stat* status) noexcept {
  return ::lstat(path, status);
}

int fchmod(int fd, mode_t mode) noexcept {
  return ::fchmod(fd, mode);
}

int chmod(const char* path, mode_t mode) noexcept {
  return ::chmod(path, mode);
}

int lchown(const char* path, uid_t owner, gid_t group) noexcept {
  return ::lchown(path, owner, group);
}

int flock(int fd, int operation) noexcept {
  return ::flock(fd, operation);
}

int memfd_create(const char* name, unsigned flags) noexcept {
  return ::memfd_create(name, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t length) noexcept {
  return ::fallocate(fd, mode, offset, length);
}
ssize_t pread(int fd, void* data, size_t length, off_t offset) noexcept {
  return ::pread(fd, data, length, offset);
}
int madvise(void* address, size_t length, int advice) noexcept {
  return ::madvise(address, length, advice);
}

ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) noexcept {
  return ::pwrite(fd, data, length, offset);
}

void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  return ::mmap(address, length, protection, flags, fd, offset);
}

int munmap(void* address, size_t length) noexcept {
  return ::munmap(address, length);
}

int rename(const char* from, const char* to) noexcept {
  return ::rename(from, to);
}

int unlink(const char* path) noexcept {
  return ::unlink(path);
}

int poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept {
  return ::poll(fds, count, timeout_ms);
}

int close(int fd) noexcept {
  return ::close(fd);
}

int getrlimit(int resource, rlimit* limit) noexcept {
  return ::getrlimit(static_cast<__rlimit_resource_t>(resource), limit);
}

int setrlimit(int resource, const rlimit* limit) noexcept {
  return ::setrlimit(static_cast<__rlimit_resource_t>(resource), limit);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  return ::clock_gettime(clock, time);
}

}  // namespace echod::sys::calls
