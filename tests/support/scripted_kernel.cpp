#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "scripted_syscalls.hpp"

namespace echod::test {

ScriptedKernel* ScriptedKernel::current = nullptr;

namespace {

constexpr std::size_t kHistory = 20;
constexpr int kMostFailures = 100;

std::string fd_text(int fd) {
  return "fd " + std::to_string(fd);
}

std::string bytes_text(std::string_view bytes) {
  constexpr std::size_t kShown = 40;
  std::string text = "\"";
  for (const char byte : bytes.substr(0, kShown)) {
    text += byte >= ' ' && byte <= '~' ? byte : '.';
  }
  text += bytes.size() > kShown ? "...\"" : "\"";
  return text + " (" + std::to_string(bytes.size()) + " bytes)";
}

std::string mask_text(std::uint32_t mask) {
  constexpr std::array<std::pair<std::uint32_t, const char*>, 9> kNames{{
      {EPOLLIN, "EPOLLIN"},
      {EPOLLPRI, "EPOLLPRI"},
      {EPOLLOUT, "EPOLLOUT"},
      {EPOLLERR, "EPOLLERR"},
      {EPOLLHUP, "EPOLLHUP"},
      {EPOLLRDHUP, "EPOLLRDHUP"},
      {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
      {EPOLLONESHOT, "EPOLLONESHOT"},
      {EPOLLET, "EPOLLET"},
  }};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((mask & bit) != 0) {
      text += text.empty() ? name : std::string("|") + name;
    }
  }
  return text.empty() ? "no events" : text;
}

std::string flags_text(int flags) {
  std::string text;
  for (const auto& [bit, name] :
       {std::pair{int{MSG_PEEK}, ", MSG_PEEK"}, std::pair{int{MSG_TRUNC}, ", MSG_TRUNC"},
        std::pair{int{MSG_NOSIGNAL}, ", MSG_NOSIGNAL"},
        std::pair{int{MSG_DONTWAIT}, ", MSG_DONTWAIT"}}) {
    if ((flags & bit) != 0) {
      text += name;
      flags &= ~bit;
    }
  }
  return flags == 0 ? text : text + ", flags " + std::to_string(flags);
}

const char* call_name(Call call) {
  constexpr std::array kNames{"socket",
                              "bind",
                              "listen",
                              "connect",
                              "accept4",
                              "getsockname",
                              "setsockopt",
                              "getsockopt",
                              "recv",
                              "recvmmsg",
                              "send",
                              "sendmmsg",
                              "shutdown",
                              "ioctl",
                              "epoll_create1",
                              "EPOLL_CTL_ADD",
                              "EPOLL_CTL_MOD",
                              "EPOLL_CTL_DEL",
                              "epoll_wait",
                              "eventfd",
                              "signalfd",
                              "timerfd_create",
                              "timerfd_settime",
                              "pipe2",
                              "splice in",
                              "splice out",
                              "open",
                              "read",
                              "write",
                              "fstat",
                              "lstat",
                              "fchmod",
                              "chmod",
                              "lchown",
                              "flock",
                              "memfd_create",
                              "F_ADD_SEALS",
                              "fallocate",
                              "pwrite",
                              "mmap",
                              "munmap",
                              "rename",
                              "unlink",
                              "close",
                              "getrlimit",
                              "setrlimit",
                              "clock_gettime"};
  return kNames.at(static_cast<std::size_t>(call));
}

std::string outcome(const Step& step) {
  if (step.error != 0) {
    return std::string(" -> ") + strerrorname_np(step.error);
  }
  return " -> " + std::to_string(step.result);
}

std::string describe(const Step& step) {
  std::string text = std::string(call_name(step.call)) + '(';
  text += step.fd >= 0 ? fd_text(step.fd) : "";
  if (step.any_bytes) {
    text += ", any bytes";
  } else if (!step.bytes.empty()) {
    text += ", " + bytes_text(step.bytes);
  }
  if (step.call == Call::recv) {
    text += flags_text(step.flags);
  }
  const bool is_mask = step.call == Call::epoll_add || step.call == Call::epoll_modify;
  if (step.argument) {
    text += ", " + (is_mask ? mask_text(static_cast<std::uint32_t>(*step.argument))
                            : std::to_string(*step.argument));
  }
  return text + ')' + outcome(step) + "  [" + step.where.file + ':' +
         std::to_string(step.where.line) + ']';
}

// Fills with a pattern in which lost or repeated bytes are noticed.
void fill(char* data, std::size_t length, std::size_t offset) {
  constexpr std::size_t kPrime = 251;
  for (std::size_t i = 0; i < length; ++i) {
    data[i] = static_cast<char>((offset + i) % kPrime);
  }
}

void give_address(const sockaddr_storage& storage, sockaddr* address, socklen_t* length) {
  const auto size = static_cast<socklen_t>(storage.ss_family == AF_INET6 ? sizeof(sockaddr_in6)
                                                                         : sizeof(sockaddr_in));
  std::memcpy(address, &storage, std::min(size, *length));
  *length = size;
}

int fail_with(int error) {
  errno = error;
  return -1;
}

}  // namespace

ScriptedKernel::ScriptedKernel() {
  if (current != nullptr) {
    (void)std::fputs("there is already a ScriptedKernel\n", stderr);
    std::abort();
  }
  current = this;
}

ScriptedKernel::~ScriptedKernel() {
  verify();
  current = nullptr;
}

void ScriptedKernel::verify() {
  for (const Step& step : std::exchange(script_, {})) {
    ADD_FAILURE_AT(step.where.file, step.where.line) << "never called: " << describe(step);
  }
}

// State.

void ScriptedKernel::improvise(std::function<std::optional<Step>(const MadeCall&)> answer) {
  answer_ = std::move(answer);
}

std::chrono::nanoseconds ScriptedKernel::read_clock(clockid_t clock) {
  if (clock != CLOCK_REALTIME) {
    return now_;
  }
  if (!wall_clock_readings_take_.empty()) {
    advance(wall_clock_readings_take_.front());
    wall_clock_readings_take_.pop_front();
  }
  return now_ + wall_clock_ahead_;
}

void ScriptedKernel::advance(std::chrono::nanoseconds time) {
  now_ += time;
}
void ScriptedKernel::set_unread(int fd, int bytes) {
  unread_[fd] = bytes;
}
void ScriptedKernel::set_unacknowledged(int fd, int bytes) {
  unacknowledged_[fd] = bytes;
}
void ScriptedKernel::set_socket_error(int fd, int error) {
  socket_errors_[fd] = error;
}
void ScriptedKernel::set_tcp_info(int fd, const tcp_info& info) {
  tcp_infos_[fd] = info;
}
void ScriptedKernel::set_pipe_room(int bytes) {
  pipe_room_ = bytes;
}
void ScriptedKernel::set_ready(int fd, bool is_ready) {
  if (is_ready) {
    not_ready_.erase(fd);
  } else {
    not_ready_.insert(fd);
  }
}
void ScriptedKernel::set_file_type(int fd, mode_t type) {
  file_types_[fd] = type;
}
std::optional<mode_t> ScriptedKernel::file_type(int fd) const {
  const auto found = file_types_.find(fd);
  return found != file_types_.end() ? std::optional(found->second) : std::nullopt;
}
void ScriptedKernel::raise(int signal) {
  signals_.push_back(signal);
}

void ScriptedKernel::set_open_files(std::uint64_t soft, std::uint64_t hard) {
  soft_ = soft;
  hard_ = hard;
}

std::size_t ScriptedKernel::count(Call call) const {
  const auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

std::optional<Registration> ScriptedKernel::registration(int fd) const {
  const auto found = registrations_.find(fd);
  return found == registrations_.end() ? std::nullopt : std::optional(found->second);
}

std::uint64_t ScriptedKernel::token_of(int fd) const {
  const auto found = tokens_.find(fd);
  EXPECT_NE(found, tokens_.end()) << fd_text(fd) << " was never registered";
  return found == tokens_.end() ? 0 : found->second;
}

std::optional<int> ScriptedKernel::option_set(int fd, int level, int option) const {
  const auto found = options_.find({fd, level, option});
  return found == options_.end() ? std::nullopt : std::optional(found->second);
}

sockaddr_storage ScriptedKernel::bound_to(int fd) const {
  const auto found = bound_.find(fd);
  return found == bound_.end() ? address_of("0.0.0.0", 0) : found->second;
}

sockaddr_storage ScriptedKernel::connected_to(int fd) const {
  const auto found = connected_.find(fd);
  return found == connected_.end() ? address_of("0.0.0.0", 0) : found->second;
}

std::optional<std::chrono::nanoseconds> ScriptedKernel::timer(int fd) const {
  const auto found = timers_.find(fd);
  return found == timers_.end() ? std::nullopt : std::optional(found->second);
}

// Matching.

void ScriptedKernel::fail(const std::string& message) {
  std::string before;
  for (const std::string& call : history_) {
    before += "\n    " + call;
  }
  ADD_FAILURE() << message << "\n  calls so far, this one last:" << before;
  if (++failures_ >= kMostFailures) {
    (void)std::fputs("aborted: the code under test makes too many calls without a script\n",
                     stderr);
    std::abort();
  }
}

void ScriptedKernel::unexpected(const std::string& text) {
  fail("unexpected call: " + text +
       "\n  expected: " + (script_.empty() ? "no further call" : describe(script_.front())));
}

void ScriptedKernel::mismatch(const Step& step, const std::string& text) {
  fail("wrong call: " + text + "\n  expected: " + describe(step));
}

void ScriptedKernel::note(Call call, int fd, const std::string& text) {
  ++counts_[call];
  history_.push_back(text);
  if (history_.size() > kHistory) {
    history_.pop_front();
  }
  if (fd >= 0 && closed_.contains(fd)) {
    fail("use of a closed descriptor: " + text);
  }
}

std::optional<Step> ScriptedKernel::take(const MadeCall& made, const std::string& text,
                                         bool needs_script) {
  const Call call = made.call;
  const int fd = made.fd;
  note(call, fd, text);
  if (script_.empty() && answer_) {
    if (std::optional<Step> answer = answer_(made)) {
      return answer;
    }
  }
  const auto is_this = [&](const Step& step) { return step.call == call && step.fd == fd; };
  if (!script_.empty() && is_this(script_.front())) {
    Step step = std::move(script_.front());
    script_.pop_front();
    return step;
  }
  const auto later = std::find_if(script_.begin(), script_.end(), is_this);
  if (needs_script || later != script_.end()) {
    unexpected(text);
  }
  return std::nullopt;
}

std::int64_t ScriptedKernel::finish(const Step& step) {
  if (step.action) {
    step.action();
  }
  return step.error == 0 ? step.result : fail_with(step.error);
}

void ScriptedKernel::created(int fd) {
  if (fd >= 0) {
    closed_.erase(fd);
    registrations_.erase(fd);
  }
}

// Calls.

int ScriptedKernel::on_create(Call call, const std::string& text) {
  const std::optional<Step> step = take({.call = call}, text, false);
  const int fd = step ? static_cast<int>(finish(*step)) : next_fd_++;
  created(fd);
  if (fd >= 0 && call == Call::eventfd) {
    eventfds_[fd] = 0;
  } else if (fd >= 0 && call == Call::signalfd) {
    signalfds_.insert(fd);
  }
  return fd;
}

int ScriptedKernel::on_simple(Call call, int fd, std::optional<std::int64_t> argument,
                              const std::string& text) {
  const std::optional<Step> step = take({.call = call, .fd = fd, .argument = argument.value_or(0)},
                                        text, call == Call::shutdown);
  if (!step) {
    return 0;
  }
  if (step->argument != argument) {
    mismatch(*step, text);
  }
  return static_cast<int>(finish(*step));
}

int ScriptedKernel::on_bind(int fd, const sockaddr* address, socklen_t length) {
  const std::optional<Step> step =
      take({.call = Call::bind, .fd = fd}, "bind(" + fd_text(fd) + ')', false);
  const int result = step ? static_cast<int>(finish(*step)) : 0;
  if (result == 0) {
    constexpr std::uint16_t kFirstPort = 40000;
    sockaddr_storage& bound = bound_[fd];
    std::memcpy(&bound, address, std::min<std::size_t>(length, sizeof bound));
    // IPv6 has the port at the same offset.
    auto* const port_of = reinterpret_cast<sockaddr_in*>(&bound);
    if (port_of->sin_port == 0) {
      port_of->sin_port = htons(static_cast<std::uint16_t>(kFirstPort + bound_.size()));
    }
  }
  return result;
}

int ScriptedKernel::on_connect(int fd, const sockaddr* address, socklen_t length) {
  const std::optional<Step> step =
      take({.call = Call::connect, .fd = fd}, "connect(" + fd_text(fd) + ')', false);
  std::memcpy(&connected_[fd], address, std::min<std::size_t>(length, sizeof(sockaddr_storage)));
  return step ? static_cast<int>(finish(*step)) : 0;
}

int ScriptedKernel::on_timer_set(int fd, int flags, const itimerspec* time) {
  const auto moment = std::chrono::seconds(time->it_value.tv_sec) +
                      std::chrono::nanoseconds(time->it_value.tv_nsec);
  const bool is_once = time->it_interval.tv_sec == 0 && time->it_interval.tv_nsec == 0;
  const std::string text =
      "timerfd_settime(" + fd_text(fd) + ", at " + std::to_string(moment.count()) + " ns)";
  const std::optional<Step> step = take({.call = Call::timerfd_settime, .fd = fd}, text, false);
  if (flags != TFD_TIMER_ABSTIME || !is_once || moment.count() == 0) {
    fail("not an absolute time, or not a single expiry: " + text);
  }
  if (step && step->argument != moment.count()) {
    mismatch(*step, text);
  }
  timers_[fd] = moment;
  return step ? static_cast<int>(finish(*step)) : 0;
}

int ScriptedKernel::on_accept(int fd, sockaddr* address, socklen_t* length) {
  const std::optional<Step> step =
      take({.call = Call::accept4, .fd = fd}, "accept4(" + fd_text(fd) + ')', true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  const int accepted = static_cast<int>(finish(*step));
  created(accepted);
  if (accepted >= 0) {
    give_address(step->peer, address, length);
  }
  return accepted;
}

int ScriptedKernel::on_getsockname(int fd, sockaddr* address, socklen_t* length) {
  (void)take({.call = Call::getsockname, .fd = fd}, "getsockname(" + fd_text(fd) + ')', false);
  give_address(bound_to(fd), address, length);
  return 0;
}

// The peer is the address that the socket was connected to.
int ScriptedKernel::on_getpeername(int fd, sockaddr* address, socklen_t* length) const {
  give_address(connected_to(fd), address, length);
  return 0;
}

int ScriptedKernel::on_setsockopt(int fd, int level, int option, const void* value,
                                  socklen_t length) {
  int number = 0;
  std::memcpy(&number, value, std::min<std::size_t>(length, sizeof number));
  const std::string text = "setsockopt(" + fd_text(fd) + ", level " + std::to_string(level) +
                           ", option " + std::to_string(option) + ", " + std::to_string(number) +
                           ')';
  note(Call::setsockopt, fd, text);
  const auto is_this = [&](const Step& step) {
    return step.call == Call::setsockopt && step.fd == fd && step.level == level &&
           step.option == option;
  };
  const auto scripted = std::find_if(script_.begin(), script_.end(), is_this);
  int result = 0;
  if (scripted == script_.begin() && scripted != script_.end()) {
    const Step step = std::move(script_.front());
    script_.pop_front();
    if (step.argument != number) {
      mismatch(step, text);
    }
    result = static_cast<int>(finish(step));
  } else if (scripted != script_.end()) {
    unexpected(text);
  }
  if (result == 0) {
    options_[{fd, level, option}] = number;
  }
  return result;
}

int ScriptedKernel::on_getsockopt(int fd, int level, int option, void* value, socklen_t* length) {
  note(Call::getsockopt, fd, "getsockopt(" + fd_text(fd) + ')');
  if (level == IPPROTO_TCP && option == TCP_INFO) {
    std::memcpy(value, &tcp_infos_[fd], std::min<std::size_t>(*length, sizeof(tcp_info)));
    return 0;
  }
  int number = option_set(fd, level, option).value_or(0);
  if (level == SOL_SOCKET && option == SO_ERROR) {
    number = std::exchange(socket_errors_[fd], 0);
  }
  std::memcpy(value, &number, std::min<std::size_t>(*length, sizeof number));
  return 0;
}

ssize_t ScriptedKernel::on_recv(int fd, void* data, std::size_t length, int flags) {
  const std::string text = "recv(" + fd_text(fd) + ", up to " + std::to_string(length) + " bytes" +
                           flags_text(flags) + ')';
  std::optional<Step> step =
      take({.call = Call::recv, .fd = fd, .length = length, .flags = flags}, text, true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  const auto asked = static_cast<std::int64_t>(length);
  const bool fits = step->result <= asked && step->argument.value_or(asked) == asked;
  if (step->flags != flags || !fits) {
    mismatch(*step, text);
    return fail_with(EAGAIN);
  }
  if (step->any_bytes) {
    step->result = asked;
    step->bytes.resize(length);
    fill(step->bytes.data(), length, received_[fd].size());
  }
  if (step->error == 0 && data != nullptr) {
    std::memcpy(data, step->bytes.data(), step->bytes.size());
  }
  age_of_read_ = step->age;
  read_had_descriptors_ = step->has_descriptors;
  if (step->error == 0 && (flags & (MSG_PEEK | MSG_TRUNC)) == 0) {
    received_[fd] += step->bytes;
  }
  return finish(*step);
}

// Supports one buffer. Adds a timestamp (SO_TIMESTAMPNS) if the script has one. As with the real
// kernel, descriptors do not fit if there is no space for control data.
ssize_t ScriptedKernel::on_recvmsg(int fd, msghdr* message, int flags) {
  age_of_read_.reset();
  read_had_descriptors_ = false;
  const ssize_t received =
      on_recv(fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags);
  message->msg_flags = read_had_descriptors_ ? MSG_CTRUNC : 0;
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  if (received < 0 || !age_of_read_ || header == nullptr) {
    message->msg_controllen = 0;
    return received;
  }
  const std::chrono::nanoseconds arrived = now() + wall_clock_ahead_ - *age_of_read_;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(arrived);
  const timespec stamp{.tv_sec = whole.count(), .tv_nsec = (arrived - whole).count()};
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_TIMESTAMPNS;
  header->cmsg_len = CMSG_LEN(sizeof stamp);
  std::memcpy(CMSG_DATA(header), &stamp, sizeof stamp);
  message->msg_controllen = CMSG_SPACE(sizeof stamp);
  return received;
}

ssize_t ScriptedKernel::on_send(int fd, const void* data, std::size_t length, int flags) {
  const std::string_view bytes(static_cast<const char*>(data), length);
  const std::string text =
      "send(" + fd_text(fd) + ", " + bytes_text(bytes) + flags_text(flags) + ')';
  std::optional<Step> step =
      take({.call = Call::send, .fd = fd, .length = length, .bytes = bytes}, text, true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  if ((!step->any_bytes && step->bytes != bytes) || (flags & MSG_NOSIGNAL) == 0) {
    mismatch(*step, text);
  }
  step->result = std::min(step->result, static_cast<std::int64_t>(length));
  if (step->error == 0) {
    sent_[fd] += bytes.substr(0, static_cast<std::size_t>(step->result));
  }
  return finish(*step);
}

int ScriptedKernel::on_ioctl(int fd, unsigned long request, int* value) {
  note(Call::ioctl, fd, "ioctl(" + fd_text(fd) + ", " + std::to_string(request) + ')');
  if (request != SIOCINQ && request != SIOCOUTQ) {
    return fail_with(ENOTTY);
  }
  *value = request == SIOCINQ ? unread_[fd] : unacknowledged_[fd];
  return 0;
}

int ScriptedKernel::on_epoll_ctl(int operation, int fd, const epoll_event* event) {
  const Call call = operation == EPOLL_CTL_ADD   ? Call::epoll_add
                    : operation == EPOLL_CTL_MOD ? Call::epoll_modify
                                                 : Call::epoll_remove;
  const bool has_mask = call != Call::epoll_remove;
  const std::uint32_t mask = has_mask ? event->events : 0;
  const std::string text = std::string(call_name(call)) + '(' + fd_text(fd) +
                           (has_mask ? ", " + mask_text(mask) : "") + ')';
  const bool is_known = registrations_.contains(fd);
  const std::optional<Step> step =
      take({.call = call, .fd = fd, .argument = mask}, text, call == Call::epoll_modify);
  if (step && step->argument.value_or(mask) != mask) {
    mismatch(*step, text);
  }
  const bool fails = step && step->error != 0;  // As if it were another epoll instance.
  if (is_known != (call != Call::epoll_add) && !fails) {
    fail((is_known ? "registered already: " : "not registered: ") + text);
  }
  const int result = step ? static_cast<int>(finish(*step)) : 0;
  if (result == 0 && !has_mask) {
    registrations_.erase(fd);
  } else if (result == 0) {
    registrations_[fd] = {.mask = mask, .token = event->data.u64};
    tokens_[fd] = event->data.u64;
  }
  return result;
}

int ScriptedKernel::on_epoll_wait(epoll_event* events, int capacity, int timeout_ms) {
  const std::string text = "epoll_wait(timeout " + std::to_string(timeout_ms) + " ms)";
  std::optional<Step> step = take({.call = Call::epoll_wait, .argument = timeout_ms}, text, true);
  if (!step) {
    return 0;
  }
  const bool is_timeout = step->any_bytes;
  if (step->argument.value_or(timeout_ms) != timeout_ms || (is_timeout && timeout_ms < 0) ||
      step->events.size() > static_cast<std::size_t>(capacity)) {
    mismatch(*step, text);
    return 0;
  }
  if (is_timeout) {
    advance(std::chrono::milliseconds(timeout_ms));
  }
  // Before the tokens are read, so that an action can register a descriptor.
  const int result = static_cast<int>(finish(*step));
  for (std::size_t i = 0; i < step->events.size(); ++i) {
    const Event& event = step->events[i];
    events[i].events = event.events;
    events[i].data.u64 = event.token ? *event.token : token_of(event.fd);
  }
  return result;
}

int ScriptedKernel::on_open(const char* path) {
  const std::string text = "open(" + std::string(path) + ')';
  const std::optional<Step> step = take({.call = Call::open}, text, true);
  if (!step) {
    return fail_with(ENOENT);
  }
  if (step->bytes != path) {
    mismatch(*step, text);
  }
  const int fd = static_cast<int>(finish(*step));
  created(fd);
  return fd;
}

int ScriptedKernel::on_lstat(const char* path, struct stat* status) {
  const std::string text = "lstat(" + std::string(path) + ')';
  const std::optional<Step> step = take({.call = Call::lstat}, text, false);
  if (!step) {
    return fail_with(ENOENT);
  }
  if (step->bytes != path) {
    mismatch(*step, text);
  }
  *status = {};
  status->st_mode = static_cast<mode_t>(step->argument.value_or(0));
  return static_cast<int>(finish(*step));
}

int ScriptedKernel::on_path(Call call, const char* path) {
  const std::string text = std::string(call_name(call)) + '(' + path + ')';
  const std::optional<Step> step = take({.call = call}, text, false);
  if (step && step->bytes != path) {
    mismatch(*step, text);
  }
  return step ? static_cast<int>(finish(*step)) : 0;
}

int ScriptedKernel::on_memfd(unsigned flags) {
  const std::string text = "memfd_create(flags " + std::to_string(flags) + ')';
  const std::optional<Step> step =
      take({.call = Call::memfd_create, .argument = flags}, text, false);
  if (step && step->argument != flags) {
    mismatch(*step, text);
  }
  const int fd = step ? static_cast<int>(finish(*step)) : next_fd_++;
  created(fd);
  return fd;
}

ssize_t ScriptedKernel::on_pwrite(int fd, const void* data, std::size_t length,
                                  std::int64_t offset) {
  const std::string_view bytes(static_cast<const char*>(data), length);
  const std::string text =
      "pwrite(" + fd_text(fd) + ", " + bytes_text(bytes) + ", " + std::to_string(offset) + ')';
  const std::optional<Step> step =
      take({.call = Call::pwrite, .fd = fd, .bytes = bytes, .argument = offset}, text, true);
  if (!step) {
    return fail_with(ENOSPC);
  }
  if ((!step->any_bytes && step->bytes != bytes) || step->argument.value_or(offset) != offset) {
    mismatch(*step, text);
  }
  return finish(*step);
}

void* ScriptedKernel::on_mmap(int fd, std::size_t length) {
  const std::optional<Step> step =
      take({.call = Call::mmap, .fd = fd, .length = length},
           "mmap(" + fd_text(fd) + ", " + std::to_string(length) + " bytes)", false);
  if (step) {
    return finish(*step) < 0 ? MAP_FAILED : nullptr;
  }
  return ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int ScriptedKernel::on_munmap(void* begin, std::size_t length) {
  note(Call::munmap, -1, "munmap(" + std::to_string(length) + " bytes)");
  return ::munmap(begin, length);
}

ssize_t ScriptedKernel::on_read(int fd, void* data, std::size_t length) {
  const std::string text = "read(" + fd_text(fd) + ", up to " + std::to_string(length) + " bytes)";
  if (const auto found = eventfds_.find(fd); found != eventfds_.end()) {
    note(Call::read, fd, text);
    const std::uint64_t value = std::exchange(found->second, 0);
    std::memcpy(data, &value, std::min(length, sizeof value));
    return value == 0 ? fail_with(EAGAIN) : static_cast<ssize_t>(sizeof value);
  }
  if (signalfds_.contains(fd)) {
    note(Call::read, fd, text);
    if (signals_.empty()) {
      return fail_with(EAGAIN);
    }
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(signals_.front());
    signals_.pop_front();
    std::memcpy(data, &info, std::min(length, sizeof info));
    return static_cast<ssize_t>(sizeof info);
  }
  if (const auto pipe = pipes_.find(fd); pipe != pipes_.end()) {
    note(Call::read, fd, text);
    const std::size_t bytes = std::min(length, pipe->second.size());
    std::memcpy(data, pipe->second.data(), bytes);
    pipe->second.erase(0, bytes);
    return bytes > 0 ? static_cast<ssize_t>(bytes) : fail_with(EAGAIN);
  }
  const std::optional<Step> step = take({.call = Call::read, .fd = fd}, text, true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  std::memcpy(data, step->bytes.data(), std::min(length, step->bytes.size()));
  return finish(*step);
}

ssize_t ScriptedKernel::on_write(int fd, const void* data, std::size_t length) {
  const std::string_view bytes(static_cast<const char*>(data), length);
  const std::string text = "write(" + fd_text(fd) + ", " + bytes_text(bytes) + ')';
  if (const auto found = eventfds_.find(fd); found != eventfds_.end()) {
    note(Call::write, fd, text);
    ++found->second;
    return static_cast<ssize_t>(length);
  }
  const std::optional<Step> step = take({.call = Call::write, .fd = fd}, text, true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  if (!step->any_bytes && step->bytes != bytes) {
    mismatch(*step, text);
  }
  return finish(*step);
}

int ScriptedKernel::on_pipe(int* ends, int flags) {
  EXPECT_NE(flags & O_CLOEXEC, 0);
  const std::optional<Step> step = take({.call = Call::pipe2}, "pipe2()", false);
  if (step) {
    return static_cast<int>(finish(*step));
  }
  const std::span both(ends, 2);
  both[0] = next_fd_++;
  both[1] = next_fd_++;
  pipes_[both[0]];
  if ((flags & O_NONBLOCK) == 0) {
    blocking_pipes_.insert(both[0]);
  }
  return 0;
}

int ScriptedKernel::on_fcntl(int fd, int command, int value) {
  if (command == F_ADD_SEALS) {
    return on_simple(Call::add_seals, fd, value,
                     "F_ADD_SEALS(" + fd_text(fd) + ", " + std::to_string(value) + ')');
  }
  const bool sets = command == F_SETPIPE_SZ;
  if (!sets && command != F_GETPIPE_SZ) {
    return fail_with(EINVAL);
  }
  int& room = pipe_sizes_[fd];
  room = sets ? value : room;
  return pipe_room_.value_or(room);
}

ssize_t ScriptedKernel::on_splice(int from, int to, std::size_t length, unsigned flags) {
  const bool is_in = !pipes_.contains(from);
  const int socket = is_in ? from : to;
  std::string& pipe = is_in ? pipes_[to - 1] : pipes_[from];
  const std::string text = std::string(is_in ? "splice in" : "splice out") + '(' + fd_text(socket) +
                           ", " + std::to_string(length) + " bytes)";
  std::optional<Step> step = take({.call = is_in ? Call::splice_in : Call::splice_out,
                                   .fd = socket,
                                   .length = length,
                                   .bytes = is_in ? std::string_view{} : std::string_view(pipe)},
                                  text, true);
  if (!step) {
    return fail_with(EAGAIN);
  }
  const bool may_block =
      flags != SPLICE_F_NONBLOCK || blocking_pipes_.contains(is_in ? to - 1 : from);
  const bool is_wrong =
      is_in ? !pipe.empty() || step->bytes.size() > length : length != pipe.size();
  if (is_wrong || may_block) {
    mismatch(*step, text);
    return fail_with(EAGAIN);
  }
  if (step->error == 0 && is_in) {
    pipe = step->bytes;
    received_[socket] += pipe;
  } else if (step->error == 0) {
    step->result = std::min(step->result, static_cast<std::int64_t>(length));
    sent_[socket] += pipe.substr(0, static_cast<std::size_t>(step->result));
    pipe.erase(0, static_cast<std::size_t>(step->result));
  }
  return finish(*step);
}

int ScriptedKernel::on_close(int fd) {
  const std::optional<Step> step =
      take({.call = Call::close, .fd = fd}, "close(" + fd_text(fd) + ')', false);
  closed_.insert(fd);
  registrations_.erase(fd);
  eventfds_.erase(fd);
  signalfds_.erase(fd);
  pipes_.erase(fd);
  return step ? static_cast<int>(finish(*step)) : 0;
}

int ScriptedKernel::on_setrlimit(std::uint64_t soft, std::uint64_t hard) {
  const std::string text = "setrlimit(RLIMIT_NOFILE, " + std::to_string(soft) + ')';
  const std::optional<Step> step = take({.call = Call::setrlimit}, text, false);
  if (step && step->argument.value_or(0) != static_cast<std::int64_t>(soft)) {
    mismatch(*step, text);
  }
  const int result = step ? static_cast<int>(finish(*step)) : 0;
  if (result == 0) {
    soft_ = soft;
    hard_ = hard;
  }
  return result;
}

}  // namespace echod::test
