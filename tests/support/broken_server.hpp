// An echo server inside the test that does one thing wrong. A test checks that a client notices:
//
//   BrokenServer server(Fault::drops_a_byte);
//   ... connect to 127.0.0.1, server.port() ...
//
// It runs in its own thread, listens on an ephemeral port or on a UNIX socket, and serves any
// number of connections. It uses no code of the daemon or the client. Thread-safety: any thread may
// call port() and fins(); the owner destroys the object.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <thread>

namespace echod::test {

// The fault occurs once on each connection, at the offset `after_bytes` of what the server sends.
// A connection with fewer bytes is served correctly. "At any offset" ignores `after_bytes`.
enum class Fault : std::uint8_t {
  correct,                  // No fault: echoes every byte and supports half-close.
  drops_a_byte,             // Drops the byte at the offset.
  corrupts,                 // Flips a bit of the byte at the offset.
  duplicates,               // Sends the 64 bytes before the offset twice.
  reorders,                 // Swaps two pieces of 32 to 64 bytes of the next read.
  swaps_two_connections,    // Swaps the next read with that of another connection. It waits for the
                            // other connection, as long as there is one that has not swapped.
  truncates_at_half_close,  // At any offset: drops what is left when it reads the client's FIN. It
                            // waits 100 ms for more before it answers 32 bytes or more, so that
                            // something is left.
  gives_up_after_fin,  // At any offset: drops what is left half a second after the client's FIN.
  never_closes,        // At any offset: echoes every byte, but never sends a FIN.
  adds_a_byte,         // At any offset: sends one extra byte 20 ms after the client's FIN, on the
                       // oldest of the connections that are open at that time.
  stalls,              // Stops reading and answering.
  closes_early,        // Sends FIN, then reads and drops what still comes.
  resets,              // Answers what came before the offset, then sends RST.
  never_accepts,       // Leaves connections in the accept queue.
};

// How many bytes the server buffers for a client that does not read.
struct BrokenServerBuffers {
  std::size_t own_bytes = 1048576;
  int kernel_bytes = 0;  // SO_SNDBUF and SO_RCVBUF; 0: the kernel's defaults.
};

class BrokenServer {
 public:
  static constexpr std::uint64_t kAfterBytes = 900;

  // The server listens when the constructor returns. Throws std::system_error.
  explicit BrokenServer(Fault fault, std::uint64_t after_bytes = kAfterBytes,
                        BrokenServerBuffers buffers = {});
  // Listens on a UNIX socket, which must not exist and is not removed.
  BrokenServer(Fault fault, const std::string& path, std::uint64_t after_bytes = kAfterBytes,
               BrokenServerBuffers buffers = {});
  // Closes all connections.
  ~BrokenServer();
  BrokenServer(const BrokenServer&) = delete;
  BrokenServer& operator=(const BrokenServer&) = delete;

  // 0 on a UNIX socket.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // How many clients' FINs the server has read so far.
  [[nodiscard]] std::size_t fins() const { return fins_; }

 private:
  struct Connection;

  BrokenServer(Fault fault, std::uint64_t after_bytes, BrokenServerBuffers buffers, int listener);
  void serve();
  [[nodiscard]] bool answers(const Connection& connection) const;
  [[nodiscard]] bool reads(const Connection& connection) const;
  [[nodiscard]] int patience_ms() const;
  // Commits the faults that are due some time after the client's FIN.
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
  std::atomic<std::size_t> fins_ = 0;
  int listener_ = -1;
  int wake_up_ = -1;  // An eventfd that tells the thread to end.
  std::list<Connection> connections_;
  std::thread thread_;
};

}  // namespace echod::test
