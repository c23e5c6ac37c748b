// A client that sends a pattern and checks, byte for byte, that it comes back, both at the same
// time; many of them can run in one thread. Thread-safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "pattern.hpp"
#include "sizes.hpp"
#include "tcp_peer.hpp"

namespace echod::test {

struct PumpPlan {
  std::uint64_t bytes = 0;           // To send, and to get back.
  std::uint64_t seed = 1;            // Of the pattern and of the sizes of the chunks.
  std::size_t largest_send = 65536;  // Each send has a random size up to this.
  std::size_t largest_receive = 65536;
  bool half_closes = true;  // After the last byte; then the daemon's FIN is expected.
  bool reads = true;        // Else not until read_now().
};

class EchoPump {
 public:
  // Borrows the peer.
  EchoPump(TcpPeer& peer, const PumpPlan& plan);

  void read_now() { plan_.reads = true; }
  [[nodiscard]] bool is_done() const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

  // For the poll loop: which events it waits for, and what to do on them. Throws if a byte is
  // wrong, missing or too many, or if the connection ends early.
  [[nodiscard]] int fd() const { return peer_.fd(); }
  [[nodiscard]] short wanted() const;
  void step(short ready);

 private:
  void send_some();
  void receive_some();

  TcpPeer& peer_;
  PumpPlan plan_;
  Pattern pattern_;
  std::minstd_rand random_;
  std::vector<char> chunk_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool is_half_closed_ = false;
  bool is_ended_ = false;
};

// What to send to a daemon so that it surely blocks, and the client to do it with: the daemon's
// receive buffer may grow to 32 MiB (net.ipv4.tcp_rmem since Linux 6.16), each send buffer to 4
// MiB. The client's receive buffer, which could take 32 MiB more, is kept small.
inline constexpr std::uint64_t kMoreThanBuffersHold = 64 * kMib;
inline constexpr PeerOptions kLateReader{.receive_buffer_bytes = 256 * kKib};

// Sends on all, reading on none, until nobody's kernel has taken a byte for a while: all buffers on
// the way are full then. Throws if a plan has too few bytes for that.
void send_until_blocked(std::vector<EchoPump>& pumps);
// The same of one client that never reads.
void send_until_blocked(TcpPeer& peer);

// Runs all until they are done, or until `is_enough` says so (asked after every round). Throws if
// none of them makes progress for kPatience.
void run_pumps(std::vector<EchoPump>& pumps, const std::function<bool()>& is_enough = {});
void run_pump(EchoPump& pump);

}  // namespace echod::test
