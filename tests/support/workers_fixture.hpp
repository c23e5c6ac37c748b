// Real workers on a listening socket of the test, which can be parked.
//
// Thread-safety: the test's thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "deadline.hpp"
#include "echo/workers.hpp"
#include "pattern.hpp"
#include "sys/listen_socket.hpp"
#include "tcp_peer.hpp"

namespace echod::test {

[[nodiscard]] inline bool is_open_descriptor(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

[[nodiscard]] inline std::uint64_t count_of(const Workers& workers, Counter counter) {
  return workers.counters().at(static_cast<std::size_t>(counter));
}

class WorkersFixture : public testing::Test {
 protected:
  // What a late reader sends, and gets back.
  static constexpr std::size_t kLateBytes = std::size_t{192} * 1024;

  static WorkerEvents no_events() {
    return {.on_ended = [] {}, .on_listener_lost = [](int) {}};
  }
  static std::unique_ptr<Workers> make(std::size_t count,
                                       const WorkerEvents& events = no_events()) {
    const auto logger = std::make_shared<spdlog::logger>(
        "workers", std::make_shared<spdlog::sinks::null_sink_mt>());
    return std::make_unique<Workers>(
        count, echo_settings(Config{}, 1000, static_cast<std::uint32_t>(count)), WorkerLogs{logger},
        events);
  }
  void start(Workers& workers) {
    workers.listen(socket_);
    workers.start();
  }
  static void park(Workers& workers) {
    workers.park();
    wait_until("all workers are parked", [&] { return workers.are_parked(); });
  }
  [[nodiscard]] TcpPeer connect(const PeerOptions& options = {}) const {
    return {"127.0.0.1", socket_->address.port(), options};
  }

  // Clients that have sent kLateBytes and their FIN, and read nothing until they are checked. The
  // bytes do not fit into the buffers of the kernel, so the workers owe some of them.
  std::vector<TcpPeer> late_readers(Workers& workers, std::size_t count) const {
    const std::uint64_t before = count_of(workers, Counter::flips_to_write);
    std::vector<TcpPeer> readers;
    for (std::size_t i = 0; i < count; ++i) {
      readers.push_back(connect({.receive_buffer_bytes = 4096, .send_buffer_bytes = kLateBytes}));
      readers.back().send_all(Pattern(i).slice(0, kLateBytes));
      readers.back().half_close();
    }
    wait_until("replies that do not fit",
               [&] { return count_of(workers, Counter::flips_to_write) >= before + count; });
    return readers;
  }
  // Expects that each of them gets every byte unchanged, and then the FIN.
  static void expect_all_bytes(std::vector<TcpPeer>& readers) {
    for (std::size_t i = 0; i < readers.size(); ++i) {
      const int many = kLateBytes;  // Or it would take seconds.
      ASSERT_EQ(setsockopt(readers[i].fd(), SOL_SOCKET, SO_RCVBUF, &many, sizeof many), 0);
      const Tail tail = readers[i].receive_to_end();
      EXPECT_EQ(tail.ending, Ending::fin) << "reader " << i;
      EXPECT_EQ(tail.bytes.size(), kLateBytes) << "reader " << i;
      EXPECT_EQ(Pattern(i).first_difference(tail.bytes, 0), std::nullopt) << "reader " << i;
    }
  }

  // Every connection as another program would get it: with descriptors of its own.
  std::vector<ParkedConnection> copies_of(Workers& workers) {
    std::vector<ParkedConnection> copies;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      workers.at(i).visit_parked([&](const ParkedConnection& connection) {
        ParkedConnection& copy = copies.emplace_back(connection);
        copy.fd = fcntl(connection.fd, F_DUPFD_CLOEXEC, 0);
        const auto* const bytes = reinterpret_cast<const char*>(connection.owed.data());
        copy.own_memory = std::as_writable_bytes(
            std::span(owed_.emplace_back(bytes, bytes + connection.owed.size())));
        copy.owed = copy.own_memory;
      });
    }
    return copies;
  }

  // With small buffers, so that workers owe most of what is not read.
  std::shared_ptr<const sys::ListenSocket> socket_ = std::make_shared<const sys::ListenSocket>(
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 64, false,
                         {.receive_buffer_kib = 200, .send_buffer_kib = 16}));
  std::list<std::vector<char>> owed_;
};

}  // namespace echod::test
