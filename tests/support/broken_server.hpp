// An echo server within the test that does one thing wrong, so that a client can be seen to notice:
//
//   BrokenServer server(Fault::drops_a_byte);
//   ... connect to 127.0.0.1, server.port() ...
//
// It has a thread of its own, listens on an ephemeral port, serves any number of connections,.
// Uses nothing of the project.
// Thread-safety: any thread may ask for the port; the owner destroys it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <thread>

namespace echod::test {

// On each connection, once, at the offset `after_bytes` in what it sends. Connections with fewer
// bytes are served right.
enum class Fault : std::uint8_t {
  correct,                  // None: byte for byte, half-close and all.
  drops_a_byte,             // That at the offset.
  corrupts,                 // Flips a bit of the byte at the offset.
  duplicates,               // The 64 bytes before the offset come again.
  reorders,                 // Of what is read next, two pieces of 32 to 64 bytes change places.
  swaps_two_connections,    // What is read next goes to another connection, and its to this one.
                            // Waits for the other, as long as there is one that has not swapped.
  truncates_at_half_close,  // At any offset: drops what is left when the client's FIN is read. It
                            // waits 30 ms for more before it answers 32 bytes or more, so that
                            // something is left.
  gives_up_after_fin,  // At any offset: drops what is left half a second after the client's FIN.
  adds_a_byte,         // At any offset: one byte more than was sent, 20 ms after the client's FIN,
                       // on the oldest of the connections that are open then.
  stalls,              // Neither reads nor answers any more.
  closes_early,        // FIN; what still comes is read and dropped.
  resets,              // RST, after what came before has been answered.
  never_accepts,       // Connections stay in the accept queue.
};

// How much the server keeps for a client that does not read.
struct BrokenServerBuffers {
  std::size_t own_bytes = 1048576;
  int kernel_bytes = 0;  // SO_SNDBUF and SO_RCVBUF; 0: the kernel's defaults.
};

class BrokenServer {
 public:
  static constexpr std::uint64_t kAfterBytes = 900;

  // Listens when it returns. Throws std::system_error.
  explicit BrokenServer(Fault fault, std::uint64_t after_bytes = kAfterBytes,
                        BrokenServerBuffers buffers = {});
  // Closes all connections.
  ~BrokenServer();
  BrokenServer(const BrokenServer&) = delete;
  BrokenServer& operator=(const BrokenServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Connection;

  void serve();
  [[nodiscard]] bool answers(const Connection& connection) const;
  [[nodiscard]] bool reads(const Connection& connection) const;
  [[nodiscard]] int patience_ms() const;
  // Does what is due some time after the client's FIN.
  void on_late_fin(Connection& connection);
  [[nodiscard]] bool is_oldest(const Connection& connection) const;
  void accept();
  void turn(Connection& connection, short ready);

  void read(Connection& connection);
  void echo(Connection& connection, std::string chunk);
  void echo_and_end(Connection& connection, std::string_view chunk);
  void hold(Connection& connection, std::string chunk);
  void release_held();
  void flush(Connection& connection);
  void on_flushed(Connection& connection);

  Fault fault_;
  std::uint64_t after_bytes_;
  BrokenServerBuffers buffers_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_up_ = -1;  // eventfd(2): readable when it is to end.
  std::list<Connection> connections_;
  std::thread thread_;
};

}  // namespace echod::test
