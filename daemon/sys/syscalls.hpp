// The system calls of this project, as functions that a test can replace.
//
// Each function makes the system call of the same name and returns its result, with errno on
// failure. Some leave out a parameter of the call: splice() the offsets, timerfd_settime() the old
// value, recvmmsg() the timeout. ioctl() and fcntl() have an int as argument.
//
// The layers of daemon, client and config, which are static libraries, make these calls only
// through this header: tests/one_seam_test.py checks that. A test that links another implementation
// of this header decides the result of each call, and tests the code that ships. Sources of an
// executable itself may make the calls directly.
//
// Calls that are not declared here are made directly, because no test replaces their results: calls
// for processes, signals, users and the environment, and calls inside libraries.
//
// Thread-safety: that of the system calls.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <csignal>
#include <ctime>

namespace echod::sys::calls {

int socket(int domain, int type, int protocol) noexcept;
int bind(int fd, const sockaddr* address, socklen_t length) noexcept;
int listen(int fd, int backlog) noexcept;
int connect(int fd, const sockaddr* address, socklen_t length) noexcept;
int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept;
int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept;
int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept;
int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept;
int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept;
ssize_t recv(int fd, void* data, size_t length, int flags) noexcept;
ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept;
int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept;
int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept;
ssize_t send(int fd, const void* data, size_t length, int flags) noexcept;
int shutdown(int fd, int how) noexcept;
int ioctl(int fd, unsigned long request, int* value) noexcept;

int epoll_create1(int flags) noexcept;
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept;
int epoll_wait(int epoll, epoll_event* events, int capacity, int timeout_ms) noexcept;
int eventfd(unsigned initial, int flags) noexcept;
int signalfd(int fd, const sigset_t* mask, int flags) noexcept;
int timerfd_create(clockid_t clock, int flags) noexcept;
int timerfd_settime(int fd, int flags, const itimerspec* time) noexcept;

int pipe2(int* ends, int flags) noexcept;
int fcntl(int fd, int command, int value) noexcept;
ssize_t splice(int from, int to, size_t length, unsigned flags) noexcept;

int open(const char* path, int flags, mode_t mode) noexcept;
int openat(int directory, const char* path, int flags, mode_t mode) noexcept;
ssize_t read(int fd, void* data, size_t length) noexcept;
ssize_t write(int fd, const void* data, size_t length) noexcept;
int fstat(int fd, struct stat* status) noexcept;
int lstat(const char* path, struct stat* status) noexcept;
int fchmod(int fd, mode_t mode) noexcept;
int chmod(const char* path, mode_t mode) noexcept;
int lchown(const char* path, uid_t owner, gid_t group) noexcept;
int flock(int fd, int operation) noexcept;
int memfd_create(const char* name, unsigned flags) noexcept;
int fallocate(int fd, int mode, off_t offset, off_t length) noexcept;
ssize_t pread(int fd, void* data, size_t length, off_t offset) noexcept;
int madvise(void* address, size_t length, int advice) noexcept;
ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) noexcept;
void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept;
int munmap(void* address, size_t length) noexcept;
int rename(const char* from, const char* to) noexcept;
int unlink(const char* path) noexcept;
int poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept;
int close(int fd) noexcept;

int getrlimit(int resource, rlimit* limit) noexcept;
int setrlimit(int resource, const rlimit* limit) noexcept;
int clock_gettime(clockid_t clock, timespec* time) noexcept;

}  // namespace echod::sys::calls
