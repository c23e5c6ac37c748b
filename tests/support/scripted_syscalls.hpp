// A kernel that follows a script. It implements daemon/sys/syscalls.hpp for tests that decide the
// result of each system call (executable `scripted_tests`).
//
//   ScriptedKernel kernel;                          // From here on calls go to the script.
//   kernel.expect_recv(7, "hello");                 // recv(7) returns "hello";
//   kernel.expect_send(7, "hello", 3);              // send(7, "hello") must follow, and takes 3;
//   kernel.expect_modify(7, EPOLLOUT | EPOLLET);    // then EPOLL_CTL_MOD with exactly this mask.
//   ...                                             // Run the code under test.
//   // ~ScriptedKernel fails the test if a step was not used.
//
// Calls must come in the order of the script. A call that is not the next step fails the test; the
// message shows the expected and the actual call. It returns a harmless result (EAGAIN, no events),
// so that the case can end. After a hundred such calls the test is aborted.
//
// These calls need a step: recv, send, recvmmsg, sendmmsg, splice, shutdown, accept4, epoll_wait,
// EPOLL_CTL_MOD, open, read, write and pwrite (except on the kernel's own eventfd and signalfd).
// The other calls succeed if the script does not mention them, and the queries below show their
// effects. If the script does mention one (`expect_close`), it must come in its order too.
//
// connect(2) without a step succeeds at once. On a real non-blocking socket it fails with
// EINPROGRESS, so script that. A timerfd never fires by itself: timer() returns its time, and a
// test scripts its event in epoll_wait. poll(2) reports every descriptor as ready.
//
// If the results depend on earlier calls, pass a function to improvise(). It makes a step for each
// call beyond the script.
//
// Descriptors that the script does not choose count from 1000. A closed descriptor may not be used
// or closed again until a call returns it anew. Without a ScriptedKernel, calls go to the real
// kernel.
//
// Thread-safety: none; there is one kernel at a time, used from one thread.
#pragma once

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace echod::test {

// Descriptors for use in scripts.
inline constexpr int kFd = 7;
inline constexpr int kOther = 8;

enum class Call : std::uint8_t {
  socket,
  bind,
  listen,
  connect,
  accept4,
  getsockname,
  setsockopt,
  getsockopt,
  recv,
  recvmmsg,
  send,
  sendmmsg,
  shutdown,
  ioctl,
  epoll_create1,
  epoll_add,
  epoll_modify,
  epoll_remove,
  epoll_wait,
  eventfd,
  signalfd,
  timerfd_create,
  timerfd_settime,
  pipe2,
  splice_in,
  splice_out,
  open,
  read,
  write,
  fstat,
  lstat,
  fchmod,
  chmod,
  lchown,
  flock,
  memfd_create,
  add_seals,
  fallocate,
  pwrite,
  mmap,
  munmap,
  rename,
  unlink,
  close,
  getrlimit,
  setrlimit,
  clock_gettime,
};

// One event of a scripted epoll_wait. Its token is the one that `fd` is registered with when the
// call is made, unless the test sets another, as for a stale event.
struct Event {
  int fd = -1;
  std::uint32_t events = 0;
  std::optional<std::uint64_t> token = std::nullopt;
};

// A datagram, or a train if `segment` is not 0: received by recvmmsg, or sent by sendmmsg.
struct Datagram {
  std::string bytes;
  int segment = 0;                  // Of UDP_GRO or UDP_SEGMENT.
  std::string peer = "192.0.2.1";   // IPv4 or IPv6.
  std::uint16_t port = 5555;        // Of the peer.
  unsigned scope = 0;               // Of the peer.
  std::string local = "192.0.2.9";  // The address of this host; empty: not told.
  unsigned interface = 0;           // Of IP_PKTINFO or IPV6_PKTINFO.
  std::string sent_to = {};         // Received: the address in its header; empty: `local`.
  int flags = 0;                    // Received: MSG_TRUNC, MSG_CTRUNC.
  // Received: the bytes of its control messages, in place of those for the members above.
  std::optional<std::string> control = std::nullopt;
};

// The source line of a step, for messages. Never pass it: the default is right.
struct Where {
  const char* file;
  int line;
  static Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// One call that the script expects. `expect_*` return it, so that then() can be called on it.
struct Step {
  explicit Step(Call which, int on = -1) : call(which), fd(on) {}

  Call call;
  int fd;                  // -1 if the call takes none.
  std::string bytes;       // recv, read: the result; send, write: the expected data; else the path.
  bool any_bytes = false;  // recv: as many as asked for; send, write, sendmmsg: any data.
  int flags = 0;           // recv: the expected flags.
  // The expected length, mask, backlog, value, timeout, flags or offset.
  std::optional<std::int64_t> argument;
  std::int64_t result = 0;
  int error = 0;                                // If not 0, the call fails with this errno.
  int level = 0;                                // setsockopt.
  int option = 0;                               // setsockopt.
  std::vector<Event> events;                    // epoll_wait.
  std::vector<Datagram> datagrams;              // recvmmsg, sendmmsg.
  sockaddr_storage peer{};                      // accept4.
  std::optional<std::chrono::nanoseconds> age;  // recvmsg: how long ago the bytes arrived.
  bool has_descriptors = false;                 // recvmsg: descriptors came with the bytes.
  std::function<void()> action;
  Where where{};

  // Runs `what` during the call, before it returns. For events that happen at that moment.
  Step& then(std::function<void()> what) {
    action = std::move(what);
    return *this;
  }

  // recvmsg(2): the bytes have a timestamp that is this old.
  Step& arrived_before(std::chrono::nanoseconds time) {
    age = time;
    return *this;
  }

  // recvmsg(2) on a UNIX socket: the client passed descriptors with the last byte.
  Step& passed_descriptors() {
    has_descriptors = true;
    return *this;
  }

  // For the implementation of `expect_*`.
  Step& with_bytes(std::string_view what) {
    bytes = what;
    return *this;
  }
  Step& with_any_bytes() {
    any_bytes = true;
    return *this;
  }
  Step& with_flags(int what) {
    flags = what;
    return *this;
  }
  Step& with_argument(std::optional<std::int64_t> what) {
    argument = what;
    return *this;
  }
  Step& giving(std::int64_t what) {
    result = what;
    return *this;
  }
  Step& failing(int with) {
    error = with;
    return *this;
  }
};

// A call by the code under test, for improvise().
struct MadeCall {
  Call call;
  int fd = -1;
  std::size_t length = 0;       // recv, send.
  int flags = 0;                // recv.
  std::string_view bytes = {};  // send.
  std::int64_t argument = 0;    // epoll_ctl: the mask; epoll_wait: the timeout.
  const std::vector<Datagram>* datagrams = nullptr;  // sendmmsg.
};

struct Registration {
  std::uint32_t mask = 0;
  std::uint64_t token = 0;
};

// Converts an IPv4 or IPv6 address for the kernel. Fails the test if `host` is neither.
[[nodiscard]] sockaddr_storage address_of(const std::string& host, std::uint16_t port);

class ScriptedKernel {
 public:
  ScriptedKernel();
  ~ScriptedKernel();
  ScriptedKernel(const ScriptedKernel&) = delete;
  ScriptedKernel& operator=(const ScriptedKernel&) = delete;

  // recv(2): returns these bytes. The call must ask for at least as many.
  Step& expect_recv(int fd, std::string_view bytes, int flags = 0, Where where = Where::here());
  // Returns as many bytes as the call asks for, of a pattern; see received().
  Step& expect_recv_full(int fd, int flags = 0, Where where = Where::here());
  Step& expect_recv_eof(int fd, int flags = 0, Where where = Where::here());
  Step& expect_recv_error(int fd, int error, int flags = 0, Where where = Where::here());
  // recv(MSG_PEEK): the bytes are not counted in received().
  Step& expect_peek(int fd, std::string_view bytes, Where where = Where::here());
  Step& expect_peek_eof(int fd, Where where = Where::here());
  Step& expect_peek_error(int fd, int error, Where where = Where::here());
  // recv(MSG_TRUNC): drops `bytes` bytes. With `asked`, the call must ask for exactly that length.
  Step& expect_discard(int fd, std::size_t bytes, std::optional<std::size_t> asked = std::nullopt,
                       Where where = Where::here());
  Step& expect_discard_error(int fd, int error, Where where = Where::here());

  // send(2): expects exactly `bytes`, and takes all or the first `takes` of them. Every send must
  // have MSG_NOSIGNAL.
  Step& expect_send(int fd, std::string_view bytes, Where where = Where::here());
  Step& expect_send(int fd, std::string_view bytes, std::size_t takes, Where where = Where::here());
  // Takes all bytes, whatever they are; see sent().
  Step& expect_send_any(int fd, Where where = Where::here());
  // Takes at most `takes` bytes, whatever they are.
  Step& expect_send_any(int fd, std::size_t takes, Where where = Where::here());
  Step& expect_send_error(int fd, std::string_view bytes, int error, Where where = Where::here());
  Step& expect_send_error(int fd, int error, Where where = Where::here());
  // recvmmsg(2): returns these; with `most`, the call must ask for exactly so many.
  Step& expect_recvmmsg(int fd, std::vector<Datagram> datagrams,
                        std::optional<std::int64_t> most = std::nullopt,
                        Where where = Where::here());
  Step& expect_recvmmsg_error(int fd, int error, Where where = Where::here());
  // sendmmsg(2): expects exactly these, and takes all or the first `takes`.
  Step& expect_sendmmsg(int fd, std::vector<Datagram> datagrams,
                        std::optional<std::size_t> takes = std::nullopt,
                        Where where = Where::here());
  // Fails for the first one, whatever it is.
  Step& expect_sendmmsg_error(int fd, int error, Where where = Where::here());
  // splice(2) from a socket into a pipe, which must be empty: moves these bytes. No bytes mean a
  // FIN or an urgent mark.
  Step& expect_splice_in(int fd, std::string_view bytes, Where where = Where::here());
  Step& expect_splice_in_error(int fd, int error, Where where = Where::here());
  // splice(2) from a pipe into a socket: the call must ask for exactly what is in the pipe. Takes
  // all or the first `takes` bytes; see sent().
  Step& expect_splice_out(int fd, std::optional<std::size_t> takes = std::nullopt,
                          Where where = Where::here());
  Step& expect_splice_out_error(int fd, int error, Where where = Where::here());
  Step& expect_pipe_error(int error, Where where = Where::here());
  Step& expect_shutdown(int fd, int how = SHUT_WR, int error = 0, Where where = Where::here());
  Step& expect_close(int fd, Where where = Where::here());

  // accept4(2): returns `fd`, connected from `peer` ("192.0.2.1" or "2001:db8::1").
  Step& expect_accept(int listener, int fd, const std::string& peer = "192.0.2.1",
                      std::uint16_t port = 5555, Where where = Where::here());
  Step& expect_accept_error(int listener, int error, Where where = Where::here());

  // epoll_ctl(2): expects exactly this mask.
  Step& expect_add(int fd, std::uint32_t mask, int error = 0, Where where = Where::here());
  Step& expect_modify(int fd, std::uint32_t mask, int error = 0, Where where = Where::here());
  Step& expect_remove(int fd, int error = 0, Where where = Where::here());
  // epoll_wait(2): returns `events`. With `timeout_ms`, the call must pass exactly that timeout.
  Step& expect_epoll_wait(std::vector<Event> events, std::optional<int> timeout_ms = std::nullopt,
                          Where where = Where::here());
  // Returns no events; the clock advances by the timeout. A timeout of -1 fails the test: the call
  // would hang.
  Step& expect_epoll_wait_timeout(std::optional<int> timeout_ms = std::nullopt,
                                  Where where = Where::here());
  Step& expect_epoll_wait_error(int error, Where where = Where::here());

  // Calls that create or configure descriptors. They return `fd`, or fail with `error` if not 0.
  Step& expect_socket(int fd, Where where = Where::here());
  Step& expect_socket_error(int error, Where where = Where::here());
  Step& expect_bind(int fd, int error = 0, Where where = Where::here());
  Step& expect_listen(int fd, int backlog, int error = 0, Where where = Where::here());
  // connect(2): `error` may be EINPROGRESS. See connected_to().
  Step& expect_connect(int fd, int error = 0, Where where = Where::here());
  Step& expect_setsockopt(int fd, int level, int option, int value, int error = 0,
                          Where where = Where::here());
  Step& expect_epoll_create(int fd, int error = 0, Where where = Where::here());
  Step& expect_eventfd(int fd, int error = 0, Where where = Where::here());
  Step& expect_signalfd(int fd, int error = 0, Where where = Where::here());
  Step& expect_timerfd(int fd, int error = 0, Where where = Where::here());
  // timerfd_settime(2): expects a single expiry, exactly at `moment` of CLOCK_MONOTONIC.
  Step& expect_timer_set(int fd, std::chrono::nanoseconds moment, Where where = Where::here());
  Step& expect_setrlimit(std::uint64_t soft, int error = 0, Where where = Where::here());

  // Files.
  Step& expect_open(const std::string& path, int fd, Where where = Where::here());
  Step& expect_open_error(const std::string& path, int error, Where where = Where::here());
  Step& expect_read(int fd, std::string_view bytes, Where where = Where::here());
  Step& expect_read_error(int fd, int error, Where where = Where::here());
  Step& expect_write(int fd, std::string_view bytes, Where where = Where::here());
  Step& expect_write(int fd, std::string_view bytes, std::size_t takes,
                     Where where = Where::here());
  Step& expect_write_error(int fd, int error, Where where = Where::here());
  // lstat(2): finds a file of this type, such as S_IFSOCK. Without a step there is no file.
  Step& expect_lstat(const std::string& path, mode_t type, Where where = Where::here());
  Step& expect_lstat_error(const std::string& path, int error, Where where = Where::here());
  Step& expect_fchmod(int fd, mode_t mode, int error = 0, Where where = Where::here());
  Step& expect_flock(int fd, int operation, int error = 0, Where where = Where::here());
  // memfd_create(2): expects exactly these flags.
  Step& expect_memfd(int fd, unsigned flags, Where where = Where::here());
  Step& expect_memfd_error(unsigned flags, int error, Where where = Where::here());
  // fcntl(F_ADD_SEALS).
  Step& expect_add_seals(int fd, int seals, int error = 0, Where where = Where::here());
  // fallocate(2) from the begin of the file.
  Step& expect_fallocate(int fd, std::int64_t length, int error = 0, Where where = Where::here());
  // pwrite(2): expects exactly `bytes`, and takes all or the first `takes` of them.
  Step& expect_pwrite(int fd, std::string_view bytes, std::int64_t offset,
                      std::optional<std::size_t> takes = std::nullopt, Where where = Where::here());
  Step& expect_pwrite_error(int fd, int error, Where where = Where::here());
  // mmap(2). Without a step it succeeds, and the mapping holds zeros.
  Step& expect_mmap_error(int fd, int error, Where where = Where::here());
  // chmod(2), lchown(2), rename(2) from `path`, unlink(2).
  Step& expect_on_path(Call call, const std::string& path, int error = 0,
                       Where where = Where::here());

  // Once the script is empty, `answer` is called for each call that can have a step, except
  // setsockopt(2). If it returns a step, that is the result; otherwise the call is treated as
  // usual.
  void improvise(std::function<std::optional<Step>(const MadeCall&)> answer);

  // The results of calls that are not scripted, from now on.
  void advance(std::chrono::nanoseconds time);  // CLOCK_MONOTONIC otherwise stands still.
  // CLOCK_REALTIME is ahead of CLOCK_MONOTONIC by `time`; at first by 0.
  void set_wall_clock_ahead(std::chrono::nanoseconds time) { wall_clock_ahead_ = time; }
  // The next readings of CLOCK_REALTIME take these times. The result is the time at the end.
  void delay_wall_clock_readings(const std::vector<std::chrono::nanoseconds>& times) {
    wall_clock_readings_take_.assign(times.begin(), times.end());
  }
  void set_unread(int fd, int bytes);               // SIOCINQ.
  void set_unacknowledged(int fd, int bytes);       // SIOCOUTQ.
  void set_socket_error(int fd, int error);         // SO_ERROR, once.
  void set_tcp_info(int fd, const tcp_info& info);  // TCP_INFO; the default is all zeros.
  void set_pipe_room(int bytes);                    // F_GETPIPE_SZ; the default is the size set.
  void set_ready(int fd, bool is_ready);            // poll(2); the default is ready.
  void set_file_type(int fd, mode_t type);          // fstat(2), such as S_IFIFO; default: real.
  void set_open_files(std::uint64_t soft, std::uint64_t hard);  // RLIMIT_NOFILE.
  void raise(int signal);                                       // Is pending on the signalfd.

  // What has happened so far.
  [[nodiscard]] std::chrono::nanoseconds now() const { return now_; }
  [[nodiscard]] std::size_t count(Call call) const;
  // The number of pipes whose reading end is open.
  [[nodiscard]] std::size_t open_pipes() const { return pipes_.size(); }
  [[nodiscard]] bool was_closed(int fd) const { return closed_.contains(fd); }
  [[nodiscard]] const std::string& sent(int fd) { return sent_[fd]; }
  [[nodiscard]] const std::string& received(int fd) { return received_[fd]; }
  [[nodiscard]] std::optional<Registration> registration(int fd) const;
  // The token that `fd` is registered with, or was last.
  [[nodiscard]] std::uint64_t token_of(int fd) const;
  [[nodiscard]] std::optional<int> option_set(int fd, int level, int option) const;
  // The addresses that `fd` was last bound and connected to; 0.0.0.0 port 0 if there is none.
  [[nodiscard]] sockaddr_storage bound_to(int fd) const;
  [[nodiscard]] sockaddr_storage connected_to(int fd) const;
  // When the timerfd `fd` expires, on CLOCK_MONOTONIC; nothing if it was never set.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> timer(int fd) const;
  [[nodiscard]] std::uint64_t open_files() const { return soft_; }
  // The number of steps that were not used yet.
  [[nodiscard]] std::size_t steps_left() const { return script_.size(); }
  // Fails the test for each step that was not used, and removes it.
  void verify();

  // For scripted_syscalls.cpp: one function per system call.
  [[nodiscard]] static ScriptedKernel* active() { return current; }
  int on_create(Call call, const std::string& text);
  int on_simple(Call call, int fd, std::optional<std::int64_t> argument, const std::string& text);
  int on_bind(int fd, const sockaddr* address, socklen_t length);
  int on_connect(int fd, const sockaddr* address, socklen_t length);
  int on_timer_set(int fd, int flags, const itimerspec* time);
  int on_accept(int fd, sockaddr* address, socklen_t* length);
  int on_getsockname(int fd, sockaddr* address, socklen_t* length);
  [[nodiscard]] int on_getpeername(int fd, sockaddr* address, socklen_t* length) const;
  int on_setsockopt(int fd, int level, int option, const void* value, socklen_t length);
  int on_getsockopt(int fd, int level, int option, void* value, socklen_t* length);
  ssize_t on_recv(int fd, void* data, std::size_t length, int flags);
  ssize_t on_recvmsg(int fd, msghdr* message, int flags);
  int on_recvmmsg(int fd, mmsghdr* messages, unsigned count);
  int on_sendmmsg(int fd, mmsghdr* messages, unsigned count);
  ssize_t on_send(int fd, const void* data, std::size_t length, int flags);
  int on_ioctl(int fd, unsigned long request, int* value);
  int on_epoll_ctl(int operation, int fd, const epoll_event* event);
  int on_epoll_wait(epoll_event* events, int capacity, int timeout_ms);
  int on_open(const char* path);
  int on_lstat(const char* path, struct stat* status);
  int on_path(Call call, const char* path);
  int on_memfd(unsigned flags);
  ssize_t on_pwrite(int fd, const void* data, std::size_t length, std::int64_t offset);
  void* on_mmap(int fd, std::size_t length);
  int on_munmap(void* begin, std::size_t length);
  ssize_t on_read(int fd, void* data, std::size_t length);
  ssize_t on_write(int fd, const void* data, std::size_t length);
  [[nodiscard]] bool is_ready(int fd) const { return !not_ready_.contains(fd); }
  [[nodiscard]] std::optional<mode_t> file_type(int fd) const;
  int on_pipe(int* ends, int flags);
  int on_fcntl(int fd, int command, int value);
  ssize_t on_splice(int from, int to, std::size_t length, unsigned flags);
  int on_close(int fd);
  int on_setrlimit(std::uint64_t soft, std::uint64_t hard);
  std::chrono::nanoseconds read_clock(clockid_t clock);
  [[nodiscard]] std::uint64_t hard_limit() const { return hard_; }

 private:
  Step& add(Step step, Where where);
  // Removes and returns the next step if it is this call. Otherwise returns nothing, and fails the
  // test if the call `needs_script` or a later step is this call.
  std::optional<Step> take(const MadeCall& made, const std::string& text, bool needs_script);
  // Fails the test: the arguments are not those of `step`.
  void mismatch(const Step& step, const std::string& text);
  void unexpected(const std::string& text);
  void fail(const std::string& message);
  void note(Call call, int fd, const std::string& text);
  void created(int fd);
  // Runs the step's action, sets errno if the call fails, and returns the result of the call.
  static std::int64_t finish(const Step& step);

  static ScriptedKernel* current;

  std::deque<Step> script_;
  std::function<std::optional<Step>(const MadeCall&)> answer_;
  std::deque<std::string> history_;
  std::map<Call, std::size_t> counts_;
  int failures_ = 0;
  int next_fd_ = 1000;
  std::chrono::nanoseconds now_ = std::chrono::seconds(1000);
  std::chrono::nanoseconds wall_clock_ahead_{0};
  std::deque<std::chrono::nanoseconds> wall_clock_readings_take_;
  std::uint64_t soft_ = 1024;
  std::uint64_t hard_ = 20000;
  std::set<int> closed_;
  std::map<int, std::uint64_t> eventfds_;
  std::set<int> signalfds_;
  std::map<int, std::string> pipes_;  // Content by the reading end; the writing end is that plus 1.
  std::set<int> blocking_pipes_;      // Reading ends.
  std::map<int, int> pipe_sizes_;
  std::optional<int> pipe_room_;
  std::deque<int> signals_;
  std::map<int, Registration> registrations_;
  std::map<int, std::uint64_t> tokens_;
  std::map<int, std::string> sent_;
  std::map<int, std::string> received_;
  std::optional<std::chrono::nanoseconds> age_of_read_;  // `age` of the last recv step.
  bool read_had_descriptors_ = false;                    // `has_descriptors` of the last recv step.
  std::set<int> not_ready_;
  std::map<int, mode_t> file_types_;
  std::map<int, int> unread_;
  std::map<int, int> unacknowledged_;
  std::map<int, int> socket_errors_;
  std::map<int, tcp_info> tcp_infos_;
  std::map<int, sockaddr_storage> bound_;
  std::map<int, sockaddr_storage> connected_;
  std::map<int, std::chrono::nanoseconds> timers_;
  std::map<std::tuple<int, int, int>, int> options_;
};

}  // namespace echod::test
