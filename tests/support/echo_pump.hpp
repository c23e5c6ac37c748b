// A client that sends a pattern and, at the same time, checks byte for byte that it comes back.
// Many pumps can run in one thread.
// Thread-safety: none.
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
  std::uint64_t seed = 1;            // For the pattern and the sizes of the chunks.
  std::size_t largest_send = 65536;  // Each send has a random size up to this.
  std::size_t largest_receive = 65536;
  std::uint64_t most_ahead =
      UINT64_MAX;           // Bytes on their way: it sends no more before some return.
  bool half_closes = true;  // Sends FIN after the last byte, and expects the daemon's FIN.
  bool reads = true;        // If false, it does not read before read_now().
};

class EchoPump {
 public:
  // Borrows the peer.
  EchoPump(TcpPeer& peer, const PumpPlan& plan);

  void read_now() { plan_.reads = true; }
  // Ends the stream after the bytes that were sent so far.
  void send_no_more() { plan_.bytes = sent_; }
  [[nodiscard]] bool is_done() const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

  // For the poll loop: the events to wait for, and the handler. step() throws if a byte is wrong,
  // if there are too many or too few, or if the connection ends early.
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

// More bytes than all buffers on the way hold, and options of a client that reads late. The
// daemon's receive buffer may grow to 32 MiB (net.ipv4.tcp_rmem since Linux 6.16), and each send
// buffer to 4 MiB. The client's receive buffer could take another 32 MiB, so it is kept small.
inline constexpr std::uint64_t kMoreThanBuffersHold = 64 * kMib;
inline constexpr PeerOptions kLateReader{.receive_buffer_bytes = 256 * kKib};

// Sends on all pumps without reading, until no send takes a byte for a while. All buffers on the
// way are full then. Throws if a plan has too few bytes for that.
void send_until_blocked(std::vector<EchoPump>& pumps);
// The same for one client that never reads.
void send_until_blocked(TcpPeer& peer);

// Runs all pumps until they are done, or until `is_enough` returns true; it is called after every
// poll(2). Throws if no pump makes progress for kPatience.
void run_pumps(std::vector<EchoPump>& pumps, const std::function<bool()>& is_enough = {});
void run_pump(EchoPump& pump);

}  // namespace echod::test
