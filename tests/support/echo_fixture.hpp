// The parts of a worker, without its thread, on a scripted kernel. The test runs each iteration of
// the loop itself and scripts the result of every system call.
//
//   connect(kFd);
//   kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
//   kernel_.expect_recv(kFd, "hello");
//   kernel_.expect_send(kFd, "hello");
//   iterate();                                   // Fails if a step of the script was not used.
//
// Thread-safety: none.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <string>

#include "admission/acceptor.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "loop/event_loop.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {

class EchoFixture : public testing::Test {
 protected:
  // The masks that connections are registered with.
  static constexpr std::uint32_t kReading = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
  static constexpr std::uint32_t kWriting = EPOLLOUT | EPOLLET;

  static constexpr std::size_t kBlockBytes = 16;

  // Small enough to write scripts for: blocks of 16 bytes, turns of 64 bytes or 8 reads.
  [[nodiscard]] static EchoSettings small_settings() {
    EchoSettings settings;
    settings.max_connections = 4;
    settings.block_bytes = kBlockBytes;
    settings.buffer_bytes = 4 * kBlockBytes;
    settings.turn_bytes = 64;
    settings.turn_reads = 8;
    settings.turn_accepts = 4;
    return settings;
  }

  EchoFixture() {
    logger_->set_level(spdlog::level::trace);
    logger_->set_pattern("%l %v");
  }

  void set_buffers(std::size_t block_bytes, std::size_t total_bytes) {
    EchoSettings settings = context_.settings;
    settings.block_bytes = block_bytes;
    settings.buffer_bytes = total_bytes;
    context_.apply(settings);
  }

  // Creates a connection as the acceptor does.
  Connection& connect(int fd) {
    EXPECT_TRUE(context_.table.reserve());
    shared_.admission.take_slot();
    shared_.admission.count_connection(context_.admission.worker);
    Connection& connection = context_.table.create(context_, 0, sys::UniqueFd::adopt(fd), peer_);
    connection.start();
    return connection;
  }

  // Runs one iteration as Worker::run() does. Fails if a step of the script was not used.
  void iterate() {
    loop_.run_once();
    if (context_.table.destroy_retired()) {
      acceptor_.on_connections_ended();
    }
    kernel_.verify();
  }
  // Advances the clock by `time` and runs an iteration without events.
  void pass(std::chrono::nanoseconds time) {
    kernel_.advance(time);
    kernel_.expect_epoll_wait({});
    iterate();
  }
  // Expects the ready list to be empty: epoll_wait blocks without a timeout.
  void expect_rest() {
    kernel_.expect_epoll_wait({}, -1);
    iterate();
  }

  // Creates a connection in the state flushing: it has read "hello" and still owes "llo".
  Connection& connect_owing(int fd) {
    Connection& connection = connect(fd);
    kernel_.expect_epoll_wait({{fd, EPOLLIN}});
    kernel_.expect_recv(fd, "hello");
    kernel_.expect_send(fd, "hello", 2);
    kernel_.expect_modify(fd, kWriting);
    iterate();
    return connection;
  }

  [[nodiscard]] std::uint64_t count(Counter counter) const {
    return context_.counters.get(counter);
  }
  // Returns how many connections were closed for `reason`.
  [[nodiscard]] std::uint64_t closed(CloseReason reason) const { return count(counter_of(reason)); }
  [[nodiscard]] std::uint64_t closed_in_all() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kCloseReasons; ++i) {
      sum += closed(static_cast<CloseReason>(i));
    }
    return sum;
  }
  [[nodiscard]] std::string log() const { return log_.str(); }
  [[nodiscard]] bool has_logged(const std::string& text) const {
    return log().find(text) != std::string::npos;
  }

  ScriptedKernel kernel_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
  SocketAddress peer_ = *SocketAddress::parse("192.0.2.1", 5555);
  EventLoop loop_;
  // Two workers; the second one accepts only if a test adds it.
  SharedState shared_{small_settings(), 2};
  EchoContext context_{loop_,
                       small_settings(),
                       logger_,
                       shared_.line_limits,
                       shared_.pinned_rounds,
                       {shared_.admission, 0}};
  int lost_ = 0;  // Listening sockets that the acceptor reported as lost.
  Acceptor acceptor_{context_.acceptor_context(), context_.settings.turn_accepts,
                     [this](int) { ++lost_; }};
};

}  // namespace echod::test
