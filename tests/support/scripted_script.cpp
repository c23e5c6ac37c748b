// The functions that add steps to the script.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "scripted_syscalls.hpp"

namespace echod::test {

namespace {

std::int64_t size_of(std::string_view bytes) {
  return static_cast<std::int64_t>(bytes.size());
}

}  // namespace

sockaddr_storage address_of(const std::string& host, std::uint16_t port) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&storage, &v4, sizeof v4);
    return storage;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr), 1) << host << " is no address";
  std::memcpy(&storage, &v6, sizeof v6);
  return storage;
}

Step& ScriptedKernel::add(Step step, Where where) {
  step.where = where;
  return script_.emplace_back(std::move(step));
}

Step& ScriptedKernel::expect_recv(int fd, std::string_view bytes, int flags, Where where) {
  return add(Step(Call::recv, fd).with_bytes(bytes).with_flags(flags).giving(size_of(bytes)),
             where);
}

Step& ScriptedKernel::expect_recv_full(int fd, int flags, Where where) {
  return add(Step(Call::recv, fd).with_any_bytes().with_flags(flags), where);
}

Step& ScriptedKernel::expect_splice_in(int fd, std::string_view bytes, Where where) {
  return add(Step(Call::splice_in, fd).with_bytes(bytes).giving(size_of(bytes)), where);
}

Step& ScriptedKernel::expect_splice_in_error(int fd, int error, Where where) {
  return add(Step(Call::splice_in, fd).failing(error), where);
}

Step& ScriptedKernel::expect_splice_out(int fd, std::optional<std::size_t> takes, Where where) {
  return add(
      Step(Call::splice_out, fd).giving(static_cast<std::int64_t>(takes.value_or(INT64_MAX))),
      where);
}

Step& ScriptedKernel::expect_splice_out_error(int fd, int error, Where where) {
  return add(Step(Call::splice_out, fd).failing(error), where);
}

Step& ScriptedKernel::expect_pipe_error(int error, Where where) {
  return add(Step(Call::pipe2).failing(error), where);
}

Step& ScriptedKernel::expect_recv_eof(int fd, int flags, Where where) {
  return expect_recv(fd, "", flags, where);
}

Step& ScriptedKernel::expect_recv_error(int fd, int error, int flags, Where where) {
  return add(Step(Call::recv, fd).with_flags(flags).failing(error), where);
}

Step& ScriptedKernel::expect_peek(int fd, std::string_view bytes, Where where) {
  return expect_recv(fd, bytes, MSG_PEEK, where);
}

Step& ScriptedKernel::expect_peek_eof(int fd, Where where) {
  return expect_recv(fd, "", MSG_PEEK, where);
}

Step& ScriptedKernel::expect_peek_error(int fd, int error, Where where) {
  return expect_recv_error(fd, error, MSG_PEEK, where);
}

Step& ScriptedKernel::expect_discard(int fd, std::size_t bytes, std::optional<std::size_t> asked,
                                     Where where) {
  return add(Step(Call::recv, fd)
                 .with_flags(MSG_TRUNC)
                 .with_argument(asked)
                 .giving(static_cast<std::int64_t>(bytes)),
             where);
}

Step& ScriptedKernel::expect_discard_error(int fd, int error, Where where) {
  return expect_recv_error(fd, error, MSG_TRUNC, where);
}

Step& ScriptedKernel::expect_send(int fd, std::string_view bytes, Where where) {
  return expect_send(fd, bytes, bytes.size(), where);
}

Step& ScriptedKernel::expect_send(int fd, std::string_view bytes, std::size_t takes, Where where) {
  return add(Step(Call::send, fd).with_bytes(bytes).giving(static_cast<std::int64_t>(takes)),
             where);
}

Step& ScriptedKernel::expect_send_any(int fd, Where where) {
  return expect_send_any(fd, SIZE_MAX, where);
}

Step& ScriptedKernel::expect_send_any(int fd, std::size_t takes, Where where) {
  constexpr std::size_t kMost = INT64_MAX;
  return add(Step(Call::send, fd)
                 .with_any_bytes()
                 .giving(static_cast<std::int64_t>(std::min(takes, kMost))),
             where);
}

Step& ScriptedKernel::expect_send_error(int fd, std::string_view bytes, int error, Where where) {
  return add(Step(Call::send, fd).with_bytes(bytes).failing(error), where);
}

Step& ScriptedKernel::expect_send_error(int fd, int error, Where where) {
  return add(Step(Call::send, fd).with_any_bytes().failing(error), where);
}

Step& ScriptedKernel::expect_shutdown(int fd, int how, int error, Where where) {
  return add(Step(Call::shutdown, fd).with_argument(how).failing(error), where);
}

Step& ScriptedKernel::expect_close(int fd, Where where) {
  return add(Step(Call::close, fd), where);
}

Step& ScriptedKernel::expect_accept(int listener, int fd, const std::string& peer,
                                    std::uint16_t port, Where where) {
  Step step = Step(Call::accept4, listener).giving(fd);
  step.peer = address_of(peer, port);
  return add(std::move(step), where);
}

Step& ScriptedKernel::expect_accept_error(int listener, int error, Where where) {
  return add(Step(Call::accept4, listener).failing(error), where);
}

Step& ScriptedKernel::expect_add(int fd, std::uint32_t mask, int error, Where where) {
  return add(Step(Call::epoll_add, fd).with_argument(mask).failing(error), where);
}

Step& ScriptedKernel::expect_modify(int fd, std::uint32_t mask, int error, Where where) {
  return add(Step(Call::epoll_modify, fd).with_argument(mask).failing(error), where);
}

Step& ScriptedKernel::expect_remove(int fd, int error, Where where) {
  return add(Step(Call::epoll_remove, fd).failing(error), where);
}

Step& ScriptedKernel::expect_epoll_wait(std::vector<Event> events, std::optional<int> timeout_ms,
                                        Where where) {
  Step step = Step(Call::epoll_wait)
                  .with_argument(timeout_ms)
                  .giving(static_cast<std::int64_t>(events.size()));
  step.events = std::move(events);
  return add(std::move(step), where);
}

Step& ScriptedKernel::expect_epoll_wait_timeout(std::optional<int> timeout_ms, Where where) {
  return add(Step(Call::epoll_wait).with_any_bytes().with_argument(timeout_ms), where);
}

Step& ScriptedKernel::expect_epoll_wait_error(int error, Where where) {
  return add(Step(Call::epoll_wait).failing(error), where);
}

Step& ScriptedKernel::expect_socket(int fd, Where where) {
  return add(Step(Call::socket).giving(fd), where);
}

Step& ScriptedKernel::expect_socket_error(int error, Where where) {
  return add(Step(Call::socket).failing(error), where);
}

Step& ScriptedKernel::expect_bind(int fd, int error, Where where) {
  return add(Step(Call::bind, fd).failing(error), where);
}

Step& ScriptedKernel::expect_listen(int fd, int backlog, int error, Where where) {
  return add(Step(Call::listen, fd).with_argument(backlog).failing(error), where);
}

Step& ScriptedKernel::expect_connect(int fd, int error, Where where) {
  return add(Step(Call::connect, fd).failing(error), where);
}

Step& ScriptedKernel::expect_setsockopt(int fd, int level, int option, int value, int error,
                                        Where where) {
  Step step = Step(Call::setsockopt, fd).with_argument(value).failing(error);
  step.level = level;
  step.option = option;
  return add(std::move(step), where);
}

Step& ScriptedKernel::expect_epoll_create(int fd, int error, Where where) {
  return add(Step(Call::epoll_create1).giving(fd).failing(error), where);
}

Step& ScriptedKernel::expect_eventfd(int fd, int error, Where where) {
  return add(Step(Call::eventfd).giving(fd).failing(error), where);
}

Step& ScriptedKernel::expect_signalfd(int fd, int error, Where where) {
  return add(Step(Call::signalfd).giving(fd).failing(error), where);
}

Step& ScriptedKernel::expect_timerfd(int fd, int error, Where where) {
  return add(Step(Call::timerfd_create).giving(fd).failing(error), where);
}

Step& ScriptedKernel::expect_timer_set(int fd, std::chrono::nanoseconds moment, Where where) {
  return add(Step(Call::timerfd_settime, fd).with_argument(moment.count()), where);
}

Step& ScriptedKernel::expect_setrlimit(std::uint64_t soft, int error, Where where) {
  return add(Step(Call::setrlimit).with_argument(static_cast<std::int64_t>(soft)).failing(error),
             where);
}

Step& ScriptedKernel::expect_open(const std::string& path, int fd, Where where) {
  return add(Step(Call::open).with_bytes(path).giving(fd), where);
}

Step& ScriptedKernel::expect_open_error(const std::string& path, int error, Where where) {
  return add(Step(Call::open).with_bytes(path).failing(error), where);
}

Step& ScriptedKernel::expect_read(int fd, std::string_view bytes, Where where) {
  return add(Step(Call::read, fd).with_bytes(bytes).giving(size_of(bytes)), where);
}

Step& ScriptedKernel::expect_read_error(int fd, int error, Where where) {
  return add(Step(Call::read, fd).failing(error), where);
}

Step& ScriptedKernel::expect_write(int fd, std::string_view bytes, Where where) {
  return expect_write(fd, bytes, bytes.size(), where);
}

Step& ScriptedKernel::expect_write(int fd, std::string_view bytes, std::size_t takes, Where where) {
  return add(Step(Call::write, fd).with_bytes(bytes).giving(static_cast<std::int64_t>(takes)),
             where);
}

Step& ScriptedKernel::expect_write_error(int fd, int error, Where where) {
  return add(Step(Call::write, fd).with_any_bytes().failing(error), where);
}

Step& ScriptedKernel::expect_lstat(const std::string& path, mode_t type, Where where) {
  return add(Step(Call::lstat).with_bytes(path).with_argument(type), where);
}

Step& ScriptedKernel::expect_lstat_error(const std::string& path, int error, Where where) {
  return add(Step(Call::lstat).with_bytes(path).failing(error), where);
}

Step& ScriptedKernel::expect_fchmod(int fd, mode_t mode, int error, Where where) {
  return add(Step(Call::fchmod, fd).with_argument(mode).failing(error), where);
}

Step& ScriptedKernel::expect_flock(int fd, int operation, int error, Where where) {
  return add(Step(Call::flock, fd).with_argument(operation).failing(error), where);
}

Step& ScriptedKernel::expect_memfd(int fd, unsigned flags, Where where) {
  return add(Step(Call::memfd_create).with_argument(flags).giving(fd), where);
}

Step& ScriptedKernel::expect_memfd_error(unsigned flags, int error, Where where) {
  return add(Step(Call::memfd_create).with_argument(flags).failing(error), where);
}

Step& ScriptedKernel::expect_add_seals(int fd, int seals, int error, Where where) {
  return add(Step(Call::add_seals, fd).with_argument(seals).failing(error), where);
}

Step& ScriptedKernel::expect_fallocate(int fd, std::int64_t length, int error, Where where) {
  return add(Step(Call::fallocate, fd).with_argument(length).failing(error), where);
}

Step& ScriptedKernel::expect_pwrite(int fd, std::string_view bytes, std::int64_t offset,
                                    std::optional<std::size_t> takes, Where where) {
  const auto taken = static_cast<std::int64_t>(takes.value_or(bytes.size()));
  return add(Step(Call::pwrite, fd).with_bytes(bytes).with_argument(offset).giving(taken), where);
}

Step& ScriptedKernel::expect_pwrite_error(int fd, int error, Where where) {
  return add(Step(Call::pwrite, fd).with_any_bytes().failing(error), where);
}

Step& ScriptedKernel::expect_mmap_error(int fd, int error, Where where) {
  return add(Step(Call::mmap, fd).failing(error), where);
}

Step& ScriptedKernel::expect_on_path(Call call, const std::string& path, int error, Where where) {
  return add(Step(call).with_bytes(path).failing(error), where);
}

}  // namespace echod::test
