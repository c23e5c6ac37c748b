// A client that a test moves by hand: half-close, reset, urgent data, small buffers. Every wait has
// a deadline; what should not happen ends the test case with an exception that says so.
// Thread-safety: none; distinct peers may be used from distinct threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "deadline.hpp"

namespace echod::test {

struct PeerOptions {
  int receive_buffer_bytes = 0;  // SO_RCVBUF before connecting, so that the window is small too.
  int send_buffer_bytes = 0;     // SO_SNDBUF.
};

// How a connection ended, seen from the client.
enum class Ending : std::uint8_t { fin, reset };

struct Tail {
  Ending ending = Ending::fin;
  std::string bytes;  // Received before the end.
};

class TcpPeer {
 public:
  // Connects; returns when the handshake is done, accepted or not.
  TcpPeer(const std::string& host, std::uint16_t port, const PeerOptions& options = {});
  ~TcpPeer() { close(); }
  TcpPeer(TcpPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TcpPeer& operator=(TcpPeer&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::uint16_t local_port() const;
  // As the daemon's log names it: "127.0.0.1:5555".
  [[nodiscard]] std::string name() const;

  void send_all(std::string_view bytes);
  void send_urgent(char byte) const;
  // FIN: no more from us, but we still read.
  void half_close() const;
  // Bytes handed to our kernel that the daemon's has not acknowledged: not in its receive queue
  // yet.
  [[nodiscard]] std::size_t unacknowledged() const;
  // RST.
  void reset();
  void close();

  [[nodiscard]] std::string receive_exactly(std::size_t count);
  // Sends and receives the same again.
  [[nodiscard]] bool echoes(std::string_view bytes);
  // Reads until the daemon's FIN or a reset.
  [[nodiscard]] Tail receive_to_end();
  // Whether bytes or an end are there to be read now.
  [[nodiscard]] bool has_news(const Deadline& deadline = Deadline(std::chrono::milliseconds(0)));

 private:
  void wait_for(short events, const char* what, const Deadline& deadline) const;

  int fd_ = -1;
};

}  // namespace echod::test
