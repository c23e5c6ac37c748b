// Implements daemon/sys/syscalls.hpp by the real calls, except for the one that the plan names
// (fault_layer.hpp).
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "fault_layer.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys::calls {

namespace {

using test::CallPath;
using test::Fault;
using test::FaultLayer;

// Makes `call` for the function with this frame, unless the plan says that it fails. `call` gets
// `length`, or less if the plan cuts it.
template <typename Call>
auto transfer(const void* frame, int fd, size_t length, Call call) noexcept {
  FaultLayer& layer = FaultLayer::instance();
  const Fault fault = layer.on_call(CallPath::above(frame), fd);
  using Result = decltype(call(length));
  Result result = -1;
  if (fault.action == Fault::Action::cut) {
    result = call(std::min(length, static_cast<size_t>(fault.value)));
  } else if (fault.action != Fault::Action::fail) {
    result = call(length);
  }
  if (fault.action == Fault::Action::cut || fault.value == EAGAIN) {
    const int error = errno;
    layer.raise_again(fd);
    errno = error;
  }
  if (fault.action == Fault::Action::fail || fault.action == Fault::Action::after) {
    errno = fault.value;
    result = -1;
  }
  return result;
}

// Makes a call that has no length.
template <typename Call>
auto perform(const void* frame, int fd, Call call) noexcept {
  return transfer(frame, fd, 0, [&](size_t) { return call(); });
}

// 0 for a UNIX socket.
std::uint16_t port_of(const sockaddr* address) noexcept {
  if (address->sa_family == AF_UNIX) {
    return 0;
  }
  // Both other families have the port at the same offset.
  return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

}  // namespace

#define FRAME __builtin_frame_address(0)

int socket(int domain, int type, int protocol) noexcept {
  return perform(FRAME, -1, [&] { return ::socket(domain, type, protocol); });
}

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  return perform(FRAME, fd, [&] { return ::bind(fd, address, length); });
}

int listen(int fd, int backlog) noexcept {
  return perform(FRAME, fd, [&] { return ::listen(fd, backlog); });
}

int connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  return perform(FRAME, fd, [&] { return ::connect(fd, address, length); });
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept {
  const int accepted = perform(FRAME, fd, [&] { return ::accept4(fd, address, length, flags); });
  if (accepted >= 0) {
    FaultLayer::instance().note_peer(accepted, port_of(address));
  }
  return accepted;
}

int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  return perform(FRAME, fd, [&] { return ::getsockname(fd, address, length); });
}

int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return perform(FRAME, fd, [&] { return ::getpeername(fd, address, length); });
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  return perform(FRAME, fd, [&] { return ::setsockopt(fd, level, option, value, length); });
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  return perform(FRAME, fd, [&] { return ::getsockopt(fd, level, option, value, length); });
}

ssize_t recv(int fd, void* data, size_t length, int flags) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) {
    // As in daemon/sys/syscalls.cpp: a sanitizer's recv does not accept a null pointer.
    return data == nullptr ? ::syscall(SYS_recvfrom, fd, nullptr, left, flags, nullptr, nullptr)
                           : ::recv(fd, data, left, flags);
  });
}

ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  // All callers have one buffer.
  return transfer(FRAME, fd, message->msg_iov->iov_len, [&](size_t left) {
    message->msg_iov->iov_len = left;
    return ::recvmsg(fd, message, flags);
  });
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return perform(FRAME, fd, [&] { return ::recvmmsg(fd, messages, count, flags, nullptr); });
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return perform(FRAME, fd, [&] { return ::sendmmsg(fd, messages, count, flags); });
}

ssize_t send(int fd, const void* data, size_t length, int flags) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) { return ::send(fd, data, left, flags); });
}

int shutdown(int fd, int how) noexcept {
  return perform(FRAME, fd, [&] { return ::shutdown(fd, how); });
}

int ioctl(int fd, unsigned long request, int* value) noexcept {
  return perform(FRAME, fd, [&] { return ::ioctl(fd, request, value); });
}

int epoll_create1(int flags) noexcept {
  return perform(FRAME, -1, [&] { return ::epoll_create1(flags); });
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  const int result = perform(FRAME, fd, [&] { return ::epoll_ctl(epoll, operation, fd, event); });
  if (result == 0) {
    FaultLayer::instance().note_registration(epoll, operation, fd, event);
  }
  return result;
}

int epoll_wait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept {
  return perform(FRAME, -1, [&] { return ::epoll_wait(epoll, events, capacity, timeout_ms); });
}

int eventfd(unsigned initial, int flags) noexcept {
  return perform(FRAME, -1, [&] { return ::eventfd(initial, flags); });
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  return perform(FRAME, fd, [&] { return ::signalfd(fd, mask, flags); });
}

int timerfd_create(clockid_t clock, int flags) noexcept {
  return perform(FRAME, -1, [&] { return ::timerfd_create(clock, flags); });
}

int timerfd_settime(int fd, int flags, const itimerspec* time) noexcept {
  return perform(FRAME, fd, [&] { return ::timerfd_settime(fd, flags, time, nullptr); });
}

int pipe2(int* ends, int flags) noexcept {
  return perform(FRAME, -1, [&] { return ::pipe2(ends, flags); });
}

int fcntl(int fd, int command, int value) noexcept {
  return perform(FRAME, fd, [&] { return ::fcntl(fd, command, value); });
}

ssize_t splice(int from, int to, size_t length, unsigned flags) noexcept {
  // One of the two is a pipe. Take the other one, which is the connection.
  return transfer(FRAME, FaultLayer::instance().has_peer(from) ? from : to, length,
                  [&](size_t left) { return ::splice(from, nullptr, to, nullptr, left, flags); });
}

int open(const char* path, int flags, mode_t mode) noexcept {
  return perform(FRAME, -1, [&] { return ::open(path, flags, mode); });
}

int openat(int directory, const char* path, int flags, mode_t mode) noexcept {
  return perform(FRAME, -1, [&] { return ::openat(directory, path, flags, mode); });
}

ssize_t read(int fd, void* data, size_t length) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) { return ::read(fd, data, left); });
}

ssize_t write(int fd, const void* data, size_t length) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) { return ::write(fd, data, left); });
}

int fstat(int fd, struct stat* status) noexcept {
  return perform(FRAME, fd, [&] { return ::fstat(fd, status); });
}

int lstat(const char* path, struct stat* status) noexcept {
  return perform(FRAME, -1, [&] { return ::lstat(path, status); });
}

int fchmod(int fd, mode_t mode) noexcept {
  return perform(FRAME, fd, [&] { return ::fchmod(fd, mode); });
}

int chmod(const char* path, mode_t mode) noexcept {
  return perform(FRAME, -1, [&] { return ::chmod(path, mode); });
}

int lchown(const char* path, uid_t owner, gid_t group) noexcept {
  return perform(FRAME, -1, [&] { return ::lchown(path, owner, group); });
}

int flock(int fd, int operation) noexcept {
  return perform(FRAME, fd, [&] { return ::flock(fd, operation); });
}

int memfd_create(const char* name, unsigned flags) noexcept {
  return perform(FRAME, -1, [&] { return ::memfd_create(name, flags); });
}

int fallocate(int fd, int mode, off_t offset, off_t length) noexcept {
  return perform(FRAME, fd, [&] { return ::fallocate(fd, mode, offset, length); });
}

ssize_t pread(int fd, void* data, size_t length, off_t offset) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) { return ::pread(fd, data, left, offset); });
}

int madvise(void* address, size_t length, int advice) noexcept {
  return perform(FRAME, -1, [&] { return ::madvise(address, length, advice); });
}

ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) noexcept {
  return transfer(FRAME, fd, length, [&](size_t left) { return ::pwrite(fd, data, left, offset); });
}

void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  // MAP_FAILED is -1 as a number.
  return reinterpret_cast<void*>(perform(FRAME, fd, [&] {
    return reinterpret_cast<std::intptr_t>(::mmap(address, length, protection, flags, fd, offset));
  }));
}

int munmap(void* address, size_t length) noexcept {
  return perform(FRAME, -1, [&] { return ::munmap(address, length); });
}

int rename(const char* from, const char* to) noexcept {
  return perform(FRAME, -1, [&] { return ::rename(from, to); });
}

int unlink(const char* path) noexcept {
  return perform(FRAME, -1, [&] { return ::unlink(path); });
}

int poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept {
  return perform(FRAME, fds->fd, [&] { return ::poll(fds, count, timeout_ms); });
}

int close(int fd) noexcept {
  return perform(FRAME, fd, [&] {
    FaultLayer::instance().forget(fd);
    return ::close(fd);
  });
}

int getrlimit(int resource, rlimit* limit) noexcept {
  return perform(FRAME, -1,
                 [&] { return ::getrlimit(static_cast<__rlimit_resource_t>(resource), limit); });
}

int setrlimit(int resource, const rlimit* limit) noexcept {
  return perform(FRAME, -1,
                 [&] { return ::setrlimit(static_cast<__rlimit_resource_t>(resource), limit); });
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  return perform(FRAME, -1, [&] { return ::clock_gettime(clock, time); });
}

#undef FRAME

}  // namespace echod::sys::calls
