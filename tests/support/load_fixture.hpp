// The parts of a load worker without its thread, on a scripted kernel. A test runs each iteration
// of the loop itself and scripts the result of every system call.
//
//   plan_.depth = 2;                             // Before the first connection is made.
//   client::LoadConnection& connection = connect(kFd);
//   expect_send(kFd, 0, 128);                    // Bytes 0 to 127 of its stream.
//   connection.start();
//   kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
//   expect_recv(kFd, 0, 64);
//   expect_send(kFd, 128, 64);
//   iterate();                                   // Fails if a step of the script was not used.
//
// Thread-safety: none.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <span>
#include <string>

#include "client/load/load_connection.hpp"
#include "client/load/load_context.hpp"
#include "client/stream/keyed_stream.hpp"
#include "loop/event_loop.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {

class LoadFixture : public testing::Test {
 protected:
  // The events that connections are registered for.
  static constexpr std::uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;

  static constexpr std::uint32_t kBytes = 64;  // Bytes per message, unless the test changes it.

  LoadFixture() {
    plan_.server = *SocketAddress::parse("192.0.2.9", 2003);
    plan_.sizes = {.smallest = kBytes, .largest = kBytes};
    plan_.connections = plan_.active = 1;
    context_.active = 1;
    context_.is_ready = true;
    measure(std::chrono::hours(1));
  }

  // Starts a window of this length now.
  void measure(std::chrono::nanoseconds time) {
    context_.window = {.begin = loop_.now(), .end = loop_.now() + time};
  }
  // Starts an open loop with a constant rate now.
  void open_loop(double rate_per_s) {
    plan_.rate_per_s = rate_per_s;
    schedule_ = client::Schedule(loop_.now(), rate_per_s);
  }
  // Makes the next message due, whatever the time is.
  void message_due(client::LoadConnection& connection) {
    const sys::TimePoint due = schedule_.due();
    schedule_.skip();
    connection.message_due(due);
  }

  // Creates the next connection, closed. Numbers and slots count from 0.
  client::LoadConnection& make() {
    const auto number = static_cast<std::uint32_t>(connections_.size());
    return connections_.emplace_back(context_, number, number);
  }
  Step& expect_connect(int fd, int error = EINPROGRESS) {
    number_of_[fd] = static_cast<std::uint32_t>(connections_.size() - 1);
    kernel_.expect_socket(fd);
    return kernel_.expect_connect(fd, error);
  }
  // The same, but opens it.
  client::LoadConnection& connect(int fd) {
    client::LoadConnection& connection = make();
    expect_connect(fd);
    connection.open();
    kernel_.expect_epoll_wait({{fd, EPOLLOUT}});
    iterate();
    return connection;
  }
  // The same, and sends its first message.
  client::LoadConnection& connect_and_send(int fd) {
    client::LoadConnection& connection = connect(fd);
    expect_send(fd, 0, kBytes);
    connection.start();
    kernel_.verify();
    return connection;
  }

  // Returns `length` bytes from `offset` on, of the stream of the connection on `fd`.
  [[nodiscard]] std::string stream(int fd, std::uint64_t offset, std::size_t length) const {
    std::string bytes(length, '\0');
    client::KeyedStream(number_of_.at(fd)).fill(std::as_writable_bytes(std::span(bytes)), offset);
    return bytes;
  }
  Step& expect_send(int fd, std::uint64_t offset, std::size_t length, Where where = Where::here()) {
    return kernel_.expect_send(fd, stream(fd, offset, length), where);
  }
  // The kernel accepts only the first `takes` bytes.
  Step& expect_short_send(int fd, std::uint64_t offset, std::size_t length, std::size_t takes,
                          Where where = Where::here()) {
    return kernel_.expect_send(fd, stream(fd, offset, length), takes, where);
  }
  Step& expect_recv(int fd, std::uint64_t offset, std::size_t length, Where where = Where::here()) {
    return kernel_.expect_recv(fd, stream(fd, offset, length), 0, where);
  }

  // Runs one iteration like LoadWorker::run(), and expects the end of the script.
  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }
  // Runs an iteration without events, `time` later, and then a sweep.
  void iterate_and_sweep(std::chrono::nanoseconds time) {
    kernel_.advance(time);
    kernel_.expect_epoll_wait({});
    iterate();
    sweep();
  }
  void sweep() {
    for (client::LoadConnection& connection : connections_) {
      connection.check_timeouts();
    }
  }
  // The same, in which the first connection, which was lost, is reopened.
  void sweep_and_reconnect(std::chrono::nanoseconds time, int fd) {
    kernel_.advance(time);
    kernel_.expect_epoll_wait({});
    iterate();
    expect_connect(fd);
    number_of_[fd] = 0;
    sweep();
    kernel_.verify();
  }
  // Expects that the ready list is empty, so the loop would wait for events.
  void expect_idle() {
    kernel_.expect_epoll_wait({}, -1);
    iterate();
  }

  [[nodiscard]] std::uint64_t errors(client::LoadError error) const {
    return context_.tally.errors.at(static_cast<std::size_t>(error));
  }
  // Expects exactly one error, and returns its text.
  [[nodiscard]] std::string only_error() const {
    EXPECT_EQ(context_.tally.errors_in_all(), 1U);
    return context_.tally.details.size() == 1 ? context_.tally.details.front().text : "";
  }
  // Expects that nothing is open, begun or awaited.
  void expect_nothing_left() const {
    EXPECT_EQ(context_.tally.connected, 0U);
    EXPECT_EQ(context_.opening, 0U);
    EXPECT_EQ(context_.in_flight, 0U);
    EXPECT_EQ(context_.half_closed, 0U);
    EXPECT_EQ(context_.diagnosing, 0U);
  }

  ScriptedKernel kernel_;
  client::LoadPlan plan_;
  EventLoop loop_;
  client::LoadContext context_{loop_, plan_};
  client::Schedule schedule_;  // Open loop only.
  std::map<int, std::uint32_t> number_of_;
  std::deque<client::LoadConnection> connections_;
};

}  // namespace echod::test
