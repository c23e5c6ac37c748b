// A UDP echo server inside the test that does one thing wrong. A test checks that a client notices:
//
//   DatagramServer server({.fault = DatagramFault::loses, .every = 10});
//   ... send to 127.0.0.1, server.port() ...
//
// It runs in its own thread and listens on an ephemeral port of loopback. It uses no code of the
// daemon or the client.
// Thread-safety: any thread may call port() and received(); the owner destroys the object.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>

namespace echod::test {

enum class DatagramFault : std::uint8_t {
  correct,                    // No fault: every datagram comes back once, at once.
  loses,                      // Drops the datagram.
  duplicates,                 // Answers twice.
  duplicates_later,           // Answers, and again after `delay`.
  reorders,                   // Answers after the next datagram, or after 20 ms.
  corrupts,                   // Flips a bit of the last byte.
  corrupts_header,            // Flips a bit of the first byte.
  shortens,                   // Leaves the last byte out.
  answers_late,               // Answers after `delay`.
  answers_from_another_port,  // Answers from a second socket.
  swaps_two_clients,          // Answers the previous client in place of this one, if they differ.
};

struct DatagramServerOptions {
  DatagramFault fault = DatagramFault::correct;
  std::uint64_t every = 1;           // The fault occurs at each `every`th datagram.
  std::uint64_t after = 0;           // No fault in the first `after` datagrams,
  std::uint64_t until = UINT64_MAX;  // nor from datagram `until` on.
  std::chrono::milliseconds delay{100};
};

class DatagramServer {
 public:
  // The socket is bound when the constructor returns. Throws std::system_error.
  explicit DatagramServer(const DatagramServerOptions& options = {});
  ~DatagramServer();
  DatagramServer(const DatagramServer&) = delete;
  DatagramServer& operator=(const DatagramServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // How many datagrams it has read so far.
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  struct Datagram {
    std::string bytes;
    sockaddr_in client{};
    std::chrono::steady_clock::time_point due;  // When to send it, if it is kept.
  };

  void serve();
  [[nodiscard]] int patience_ms() const;
  void read();
  void answer_wrongly(Datagram datagram);
  void send_due();
  void send(const Datagram& datagram, int fd) const;

  DatagramServerOptions options_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> received_ = 0;
  int fd_ = -1;
  int other_fd_ = -1;
  int wake_up_ = -1;  // An eventfd that tells the thread to end.
  std::deque<Datagram> kept_;
  std::optional<sockaddr_in> previous_client_;
  std::thread thread_;
};

}  // namespace echod::test
