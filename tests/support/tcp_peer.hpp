// A client over TCP or a UNIX socket that the test controls step by step: half-close, reset, urgent
// data, small buffers.
// Calls block, but every wait has a deadline. On an error they throw, which ends the test case.
// Thread-safety: none; distinct peers may be used from distinct threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "deadline.hpp"

namespace echod::test {

struct PeerOptions {
  int receive_buffer_bytes = 0;  // SO_RCVBUF, set before connecting, so that it limits the window.
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
  // Connects. Returns when the handshake is done, whether or not the server has accepted.
  TcpPeer(const std::string& host, std::uint16_t port, const PeerOptions& options = {});
  // Connects to a UNIX socket. Throws if its accept queue is full.
  explicit TcpPeer(const std::string& path, const PeerOptions& options = {});
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
  // The name of this peer in the daemon's log, such as "127.0.0.1:5555".
  [[nodiscard]] std::string name() const;

  void send_all(std::string_view bytes);
  void send_urgent(char byte) const;
  // Over a UNIX socket: sends one byte with a descriptor (SCM_RIGHTS, unix(7)).
  void send_with_descriptor(char byte) const;
  // Sends FIN. Reading goes on.
  void half_close() const;
  // Bytes that were sent and that the daemon's kernel has not acknowledged, so they are not in its
  // receive queue yet.
  [[nodiscard]] std::size_t unacknowledged() const;
  // Closes the connection by RST.
  void reset();
  void close();

  [[nodiscard]] std::string receive_exactly(std::size_t count);
  // Sends `bytes`, and returns whether the same bytes come back.
  [[nodiscard]] bool echoes(std::string_view bytes);
  // Reads until the daemon's FIN or a reset.
  [[nodiscard]] Tail receive_to_end();
  // Returns whether bytes, or the end of the stream, come before the deadline; the default is now.
  [[nodiscard]] bool has_news(const Deadline& deadline = Deadline(std::chrono::milliseconds(0)));

 private:
  void set_buffers(const PeerOptions& options) const;
  void wait_for(short events, const char* what, const Deadline& deadline) const;

  int fd_ = -1;
};

}  // namespace echod::test
