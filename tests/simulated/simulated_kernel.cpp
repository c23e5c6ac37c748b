#include "simulated_kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace echod::test {

SimulatedKernel* SimulatedKernel::current = nullptr;

namespace {

std::string text_of(std::uint32_t events) {
  constexpr std::array<std::pair<std::uint32_t, const char*>, 6> kNames{{
      {EPOLLIN, "IN"},
      {EPOLLPRI, "PRI"},
      {EPOLLOUT, "OUT"},
      {EPOLLERR, "ERR"},
      {EPOLLHUP, "HUP"},
      {EPOLLRDHUP, "RDHUP"},
  }};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((events & bit) != 0) {
      text += text.empty() ? name : std::string("|") + name;
    }
  }
  return text;
}

std::size_t number_of(int fd) {
  return static_cast<std::size_t>(fd - SimulatedKernel::kFirstFd);
}

}  // namespace

std::string name_of(Call call) {
  constexpr std::array kNames{"epoll_ctl ADD", "epoll_ctl MOD", "epoll_wait", "recv",
                              "send",          "shutdown",      "ioctl",      "getsockopt",
                              "setsockopt",    "close",         "splice in",  "splice out"};
  return kNames.at(static_cast<std::size_t>(call));
}

std::string name_of(Act act) {
  constexpr std::array kNames{"sends a byte", "sends an urgent byte", "sends FIN", "sends RST",
                              "takes a byte, or the FIN"};
  return kNames.at(static_cast<std::size_t>(act));
}

SimulatedKernel::SimulatedKernel(Outside& outside, const SocketLimits& limits,
                                 std::size_t most_owed, CloseRule close_rule)
    : outside_(outside),
      limits_(limits),
      most_owed_(most_owed),
      close_rule_(std::move(close_rule)) {
  current = this;
}

SimulatedKernel::~SimulatedKernel() {
  current = nullptr;
}

SimulatedKernel& SimulatedKernel::active() noexcept {
  if (current == nullptr) {
    (void)std::fputs("a system call without a simulated kernel\n", stderr);
    std::abort();
  }
  return *current;
}

int SimulatedKernel::connect() {
  connections_.emplace_back(limits_);
  return kFirstFd + static_cast<int>(connections_.size()) - 1;
}

// Acts of the outside.

bool SimulatedKernel::can(Act act, std::size_t connection) const noexcept {
  const SimulatedSocket& socket = connections_[connection].socket;
  if (is_closed(connection)) {
    return false;
  }
  switch (act) {
    case Act::send:
    case Act::send_urgent:
      return socket.can_send();
    case Act::finish:
      return socket.can_finish();
    case Act::reset:
      return socket.can_reset();
    case Act::take:
      return socket.can_take();
  }
  return false;
}

void SimulatedKernel::act(Act act, std::size_t connection) noexcept {
  SimulatedSocket& socket = connections_[connection].socket;
  const int fd = kFirstFd + static_cast<int>(connection);
  if (has_trace_) {
    note("client " + std::to_string(connection) + ' ' + name_of(act));
  }
  switch (act) {
    case Act::send:
      return wake(fd, socket.client_sends(false));
    case Act::send_urgent:
      return wake(fd, socket.client_sends(true));
    case Act::finish:
      return wake(fd, socket.client_finishes());
    case Act::reset:
      return wake(fd, socket.client_resets());
    case Act::take:
      return wake(fd, socket.client_takes());
  }
}

void SimulatedKernel::inject(std::size_t connection, const Fault& fault) noexcept {
  if (has_trace_) {
    note("the next " + name_of(fault.call) + " on connection " + std::to_string(connection) +
         (fault.error != 0 ? std::string(" fails: ") + strerrorname_np(fault.error)
                           : " takes at most " + std::to_string(fault.most)));
  }
  connections_[connection].fault = fault;
}

// Records.

void SimulatedKernel::note(const std::string& line) {
  if (has_trace_) {
    trace_.push_back(line);
  }
}

void SimulatedKernel::violate(const std::string& rule) {
  if (is_stopped_ || !has_rules_) {
    return;
  }
  note("VIOLATED: " + rule);
  violation_ = rule;
  stop();
}

void SimulatedKernel::describe(Fingerprint& into) const noexcept {
  for (const Connection& connection : connections_) {
    if (connection.is_closed) {
      into.add(UINT64_MAX);
      continue;
    }
    connection.socket.describe(into);
    into.add(connection.registration.mask);
    into.add(connection.drain_end ? *connection.drain_end - connection.socket.written() + 1 : 0);
    into.add(static_cast<std::uint64_t>(connection.first_error));
  }
  for (const Pipe& pipe : pipes_) {
    into.add(pipe.is_open ? pipe.end - pipe.begin : UINT64_MAX);
    into.add(pipe.begin < pipe.end ? pipe.owner : kNobody);
  }
  into.add(is_raised_ ? 1 : 0);
  into.add(ready_.size());
  for (const int fd : ready_) {
    into.add(static_cast<std::uint64_t>(fd));
  }
}

void SimulatedKernel::count_call() noexcept {
  if (++calls_ == most_calls_) {
    violate("it makes too many calls");
  } else if (calls_ == 2 * most_calls_) {
    (void)std::fputs("a turn does not end\n", stderr);
    std::abort();
  }
}

SimulatedKernel::Connection* SimulatedKernel::enter(Call call, int fd) noexcept {
  count_call();
  if (fd < kFirstFd || number_of(fd) >= connections_.size() ||
      connections_[number_of(fd)].is_closed) {
    violate(name_of(call) + " on a descriptor that is not open");
    return nullptr;
  }
  if (!is_stopped_) {
    outside_.on_call(call);
  }
  Connection& connection = connections_[number_of(fd)];
  if (std::exchange(in_turn_, number_of(fd)) != number_of(fd)) {
    ++connection.turns;
  }
  if (connection.first_error != 0 && call != Call::setsockopt && call != Call::close) {
    violate(name_of(call) + " after an error, which is final");
  }
  return &connection;
}

std::int64_t SimulatedKernel::leave(Call call, int fd, std::int64_t result) noexcept {
  told_.add(static_cast<std::uint64_t>(call));
  told_.add(static_cast<std::uint64_t>(fd));
  told_.add(static_cast<std::uint64_t>(result));
  if (has_trace_) {
    const std::string outcome = call == Call::wait ? text_of(static_cast<std::uint32_t>(result))
                                : result < 0       ? strerrorname_np(static_cast<int>(-result))
                                                   : std::to_string(result);
    note("    " + name_of(call) + ' ' +
         (fd == kEventFd ? "wake-up" : "connection " + std::to_string(number_of(fd))) + " -> " +
         outcome);
  }
  return result;
}

std::int64_t SimulatedKernel::fail(Connection& connection, Call call, int fd,
                                   std::int64_t error) noexcept {
  if (error != -EAGAIN && error != -EINTR && connection.first_error == 0) {
    connection.first_error = static_cast<int>(-error);
  }
  return leave(call, fd, error);
}

int SimulatedKernel::take_fault(Connection& connection, Call call) noexcept {
  if (!connection.fault || connection.fault->call != call || connection.fault->error == 0) {
    return 0;
  }
  return std::exchange(connection.fault, std::nullopt)->error;
}

// Epoll.

SimulatedKernel::Registration& SimulatedKernel::registration(int fd) noexcept {
  return fd == kEventFd ? wake_up_ : connections_[number_of(fd)].registration;
}

std::uint32_t SimulatedKernel::pending(int fd) noexcept {
  const std::uint32_t events = fd == kEventFd ? (is_raised_ ? std::uint32_t{EPOLLIN} : 0)
                                              : connections_[number_of(fd)].socket.poll();
  return events & (registration(fd).mask | EPOLLERR | EPOLLHUP);
}

void SimulatedKernel::list(int fd) noexcept {
  if (!std::exchange(registration(fd).is_listed, true)) {
    ready_.push_back(fd);
  }
}

void SimulatedKernel::wake(int fd, std::uint32_t with) noexcept {
  const Registration& known = registration(fd);
  if (known.is_registered && (with & (known.mask | EPOLLERR | EPOLLHUP)) != 0) {
    list(fd);
  }
}

std::int64_t SimulatedKernel::on_register(int fd, bool is_new, const epoll_event& event) noexcept {
  const Call call = is_new ? Call::add : Call::modify;
  Connection* connection = nullptr;
  if (fd != kEventFd) {
    connection = enter(call, fd);
    if (connection == nullptr) {
      return -EBADF;
    }
    if (const int error = take_fault(*connection, call); error != 0) {
      return fail(*connection, call, fd, -error);
    }
  }
  if ((event.events & EPOLLET) == 0 || registration(fd).is_registered == is_new) {
    violate(name_of(call) + " with a wrong mask, or twice");
  }
  Registration& registered = registration(fd);
  registered.is_registered = true;
  registered.mask = event.events;
  registered.token = event.data.u64;
  if (has_trace_ && connection != nullptr) {
    note("    registers for " + text_of(event.events));
  }
  if (pending(fd) != 0) {
    list(fd);
  }
  return connection != nullptr ? leave(call, fd, 0) : 0;
}

int SimulatedKernel::collect(std::span<epoll_event> events) noexcept {
  std::size_t count = 0;
  std::size_t taken = 0;
  for (; taken < ready_.size() && count < events.size(); ++taken) {
    const int fd = ready_[taken];
    registration(fd).is_listed = false;
    if (const std::uint32_t reported = pending(fd); reported != 0) {
      events[count].events = reported;
      events[count].data.u64 = registration(fd).token;
      ++count;
      (void)leave(Call::wait, fd, reported);
    }
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(taken));
  return static_cast<int>(count);
}

int SimulatedKernel::on_wait(std::span<epoll_event> events, int timeout_ms) noexcept {
  count_call();
  if (is_stopped_) {
    return 0;
  }
  if (has_trace_) {
    note("  epoll_wait, timeout " + std::to_string(timeout_ms));
  }
  told_ = {};
  in_turn_ = kNobody;
  outside_.on_call(Call::wait);
  for (;;) {
    const int count = collect(events);
    if (count > 0 || timeout_ms >= 0 || is_stopped_ || !outside_.on_block()) {
      told_.add(static_cast<std::uint64_t>(count) +
                1);  // The daemon now knows that the wait ended.
      return count;
    }
  }
}

// The data path.

// Checks what must hold at every read.
void SimulatedKernel::check_read(const Connection& connection) noexcept {
  if ((connection.registration.mask & EPOLLIN) == 0) {
    violate("it reads while it waits to write");
  }
}

std::int64_t SimulatedKernel::on_recv(int fd, std::span<std::byte> into, bool is_peek) noexcept {
  Connection* const connection = enter(Call::recv, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (const int error = take_fault(*connection, Call::recv); error != 0) {
    return fail(*connection, Call::recv, fd, -error);
  }
  check_read(*connection);
  const std::int64_t bytes = connection->socket.receive(into, is_peek);
  if (connection->socket.read() > connection->socket.written() + most_owed_) {
    violate("it has read more than it can keep");
  }
  return bytes < 0 ? fail(*connection, Call::recv, fd, bytes) : leave(Call::recv, fd, bytes);
}

bool SimulatedKernel::stopped_at_descriptor(int fd) const noexcept {
  return connections_[number_of(fd)].socket.stopped_at_descriptor();
}

std::int64_t SimulatedKernel::on_discard(int fd, std::span<std::byte> scratch) noexcept {
  Connection* const connection = enter(Call::recv, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (const int error = take_fault(*connection, Call::recv); error != 0) {
    return fail(*connection, Call::recv, fd, -error);
  }
  check_read(*connection);
  const SimulatedSocket& socket = connection->socket;
  const std::int64_t discarded = connection->socket.discard(scratch);
  if (socket.read() > socket.written() && !socket.is_shut()) {
    violate("it discards bytes that it owes");
  }
  return discarded < 0 ? fail(*connection, Call::recv, fd, discarded)
                       : leave(Call::recv, fd, discarded);
}

void SimulatedKernel::check_sent(int fd, std::uint64_t position, std::size_t bytes) noexcept {
  const std::size_t number = number_of(fd);
  if (position != socket(number).written() || position + bytes > owed_end(number)) {
    violate("it sends a byte that is not the next one owed");
  }
}

std::int64_t SimulatedKernel::on_send(int fd, std::span<const std::byte> bytes) noexcept {
  Connection* const connection = enter(Call::send, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (const int error = take_fault(*connection, Call::send); error != 0) {
    return fail(*connection, Call::send, fd, -error);
  }
  SimulatedSocket& socket = connection->socket;
  std::uint64_t position = socket.written();
  check_sent(fd, position, bytes.size());
  for (const std::byte byte : bytes) {
    if (byte != SimulatedSocket::byte_at(position++)) {
      violate("it sends a byte that is not the next one owed");
      break;
    }
  }
  std::size_t most = bytes.size();
  if (connection->fault && connection->fault->call == Call::send) {
    most = std::min(most, std::exchange(connection->fault, std::nullopt)->most);
  }
  const std::int64_t sent = socket.send(bytes.size(), most);
  return sent < 0 ? fail(*connection, Call::send, fd, sent) : leave(Call::send, fd, sent);
}

std::int64_t SimulatedKernel::on_shutdown(int fd) noexcept {
  Connection* const connection = enter(Call::shutdown, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (const int error = take_fault(*connection, Call::shutdown); error != 0) {
    return fail(*connection, Call::shutdown, fd, -error);
  }
  const SimulatedSocket& socket = connection->socket;
  if (!socket.is_reset() && socket.written() != owed_end(number_of(fd))) {
    violate("it sends FIN before everything that it owes");
  }
  std::uint32_t wakes = 0;
  const std::int64_t result = connection->socket.shut_write(wakes);
  wake(fd, wakes);
  return result < 0 ? fail(*connection, Call::shutdown, fd, result)
                    : leave(Call::shutdown, fd, result);
}

std::int64_t SimulatedKernel::on_queue_length(int fd, bool is_receive_queue) noexcept {
  Connection* const connection = enter(Call::ioctl, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (!is_receive_queue) {
    connection->was_all_acknowledged = connection->socket.send_queue() == 0;
    return leave(Call::ioctl, fd, connection->socket.send_queue());
  }
  if (begins_to_drain_) {
    connection->drain_end = connection->socket.sent();
  }
  connection->was_all_read = connection->socket.unread() == 0;
  return leave(Call::ioctl, fd, connection->socket.unread());
}

int SimulatedKernel::on_take_error(int fd) noexcept {
  Connection* const connection = enter(Call::getsockopt, fd);
  if (connection == nullptr) {
    return EBADF;
  }
  const int error = connection->socket.take_error();
  if (error != 0) {
    connection->first_error = error;
  }
  return static_cast<int>(leave(Call::getsockopt, fd, error));
}

std::int64_t SimulatedKernel::on_reset_on_close(int fd) noexcept {
  Connection* const connection = enter(Call::setsockopt, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  connection->resets_on_close = true;
  return leave(Call::setsockopt, fd, 0);
}

SimulatedKernel::Pipe* SimulatedKernel::pipe_of(int fd) noexcept {
  return fd >= kFirstPipeFd ? &pipes_[static_cast<std::size_t>(fd - kFirstPipeFd) / 2] : nullptr;
}

std::int64_t SimulatedKernel::on_pipe(std::span<int, 2> ends) noexcept {
  const auto open = static_cast<std::size_t>(
      std::count_if(pipes_.begin(), pipes_.end(), [](const Pipe& pipe) { return pipe.is_open; }));
  if (open >= limits_.most_pipes) {
    return -EMFILE;
  }
  const auto free =
      std::find_if(pipes_.begin(), pipes_.end(), [](const Pipe& pipe) { return !pipe.is_open; });
  const auto number = static_cast<int>(free - pipes_.begin());
  if (free == pipes_.end()) {
    pipes_.emplace_back();
  } else {
    *free = {};
  }
  pipes_[static_cast<std::size_t>(number)].is_small = open >= limits_.full_pipes;
  ends[0] = kFirstPipeFd + 2 * number;
  ends[1] = ends[0] + 1;
  return 0;
}

int SimulatedKernel::on_pipe_size(int fd, int asked) noexcept {
  Pipe& pipe = *pipe_of(fd);
  if (asked > 0 && pipe.is_small) {
    return -EPERM;
  }
  pipe.size = asked > 0 ? asked : pipe.size;
  return pipe.size;
}

std::int64_t SimulatedKernel::on_splice(int from, int to, std::size_t length) noexcept {
  Pipe* const out_of = pipe_of(from);
  return out_of != nullptr ? splice_out(*out_of, to, length)
                           : splice_in(from, *pipe_of(to), length);
}

std::int64_t SimulatedKernel::splice_in(int fd, Pipe& pipe, std::size_t most) noexcept {
  Connection* const connection = enter(Call::splice_in, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (limits_.is_local) {
    violate("it splices from a UNIX socket");
  }
  if (pipe.begin != pipe.end) {
    violate("it splices into a pipe that is not empty");
  }
  if (pipe.is_small) {
    violate("it splices into a pipe that is smaller than it asked for");
  }
  if (const int error = take_fault(*connection, Call::splice_in); error != 0) {
    const bool is_refusal = error == EINVAL || error == ENOMEM;  // Not an error of the connection.
    return is_refusal ? leave(Call::splice_in, fd, -error)
                      : fail(*connection, Call::splice_in, fd, -error);
  }
  check_read(*connection);
  SimulatedSocket& socket = connection->socket;
  pipe = {.owner = number_of(fd), .begin = socket.read(), .end = socket.read()};
  // Each piece needs a slot, and each byte is a piece of its own.
  const std::int64_t bytes = socket.splice(std::min(most, limits_.pipe_slots));
  pipe.end = socket.read();
  if (socket.read() > socket.written() + most_owed_) {
    violate("it has read more than it can keep");
  }
  return bytes < 0 ? fail(*connection, Call::splice_in, fd, bytes)
                   : leave(Call::splice_in, fd, bytes);
}

std::int64_t SimulatedKernel::splice_out(Pipe& pipe, int fd, std::size_t bytes) noexcept {
  Connection* const connection = enter(Call::splice_out, fd);
  if (connection == nullptr) {
    return -EBADF;
  }
  if (const int error = take_fault(*connection, Call::splice_out); error != 0) {
    return fail(*connection, Call::splice_out, fd, -error);
  }
  if (pipe.owner != number_of(fd) || bytes != pipe.end - pipe.begin) {
    violate("it does not splice exactly what the connection has in the pipe");
  }
  check_sent(fd, pipe.begin, bytes);
  std::size_t asked = bytes;
  if (connection->fault && connection->fault->call == Call::splice_out) {
    // As if a signal ended the call early: the socket does not note that the daemon waits for
    // space.
    asked = std::min(asked, std::exchange(connection->fault, std::nullopt)->most);
  }
  const std::int64_t sent = connection->socket.send(asked, asked);
  if (sent < 0) {
    return fail(*connection, Call::splice_out, fd, sent);
  }
  pipe.begin += static_cast<std::uint64_t>(sent);
  return leave(Call::splice_out, fd, sent);
}

// Reads from a pipe.
std::int64_t SimulatedKernel::on_read(int fd, std::span<std::byte> into) noexcept {
  Pipe& pipe = *pipe_of(fd);
  const std::size_t bytes = std::min<std::size_t>(into.size(), pipe.end - pipe.begin);
  for (std::size_t i = 0; i < bytes; ++i) {
    into[i] = SimulatedSocket::byte_at(pipe.begin++);
  }
  return bytes > 0 ? static_cast<std::int64_t>(bytes) : -EAGAIN;
}

int SimulatedKernel::on_close(int fd) noexcept {
  if (Pipe* const pipe = pipe_of(fd)) {
    pipe->is_open = false;
    return 0;
  }
  if (fd == kEpollFd || fd == kEventFd) {
    return 0;
  }
  Connection* const connection = enter(Call::close, fd);
  if (connection != nullptr) {
    if (const std::string rule = close_rule_ ? close_rule_(number_of(fd)) : ""; !rule.empty()) {
      violate(rule);
    }
    connection->is_closed = true;
    if (std::exchange(connection->registration, {}).is_listed) {
      std::erase(ready_, fd);
    }
    (void)leave(Call::close, fd, 0);
  }
  return 0;
}

void SimulatedKernel::on_eventfd_write() noexcept {
  is_raised_ = true;
  wake(kEventFd, EPOLLIN);
}

bool SimulatedKernel::on_eventfd_read() noexcept {
  return std::exchange(is_raised_, false);
}

}  // namespace echod::test
