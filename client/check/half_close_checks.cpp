#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "check_peer.hpp"
#include "checks.hpp"
#include "clock.hpp"
#include "figures.hpp"
#include "stopwatch.hpp"
#include "wait_ready.hpp"

namespace echod::client {

Finding half_close_nothing_sent(CheckContext& context) {
  CheckPeer peer(context);
  const Stopwatch watch;
  peer.half_close();
  peer.expect_end();
  return {.figure = duration_text(watch.elapsed()), .reason = "end of file, and no bytes"};
}

Finding half_close_short_message(CheckContext& context) {
  constexpr std::uint64_t kBytes = 64;
  CheckPeer peer(context);
  const Stopwatch watch;
  (void)peer.send_unread(kBytes);  // An empty send buffer takes it all.
  peer.half_close();
  peer.expect_end();
  return {.figure = duration_text(watch.elapsed()), .reason = "64 bytes, then end of file"};
}

Finding half_close_before_reading(CheckContext& context) {
  constexpr std::uint64_t kBytes = 64 * kKib;
  CheckPeer peer(context);
  const Stopwatch watch;
  if (peer.send_unread(kBytes)) {
    peer.half_close();
  }
  const std::uint64_t unread = peer.sent();
  peer.expect_end();
  const std::string figure = duration_text(watch.elapsed());
  return {.figure = figure,
          .reason = unread == kBytes ? "64 KiB, then end of file"
                                     : "only " + size_text(unread) + " were taken unread"};
}

// Some servers drop what is left half a second after the client's FIN. To catch one, more must be
// under way than the kernels hold, so that the server has to keep the rest, but not so much that it
// does not get to see the FIN. How much it keeps is its own affair: several sizes are tried.
Finding half_close_late_reader(CheckContext& context) {
  constexpr std::array<std::uint64_t, 5> kSizes{80 * kKib, 96 * kKib, 128 * kKib, 256 * kKib,
                                                512 * kKib};
  constexpr std::chrono::milliseconds kLate{1000};
  std::vector<CheckPeer> peers;
  std::uint64_t unread = 0;
  for (const std::uint64_t size : kSizes) {
    CheckPeer& peer = peers.emplace_back(context, PeerOptions{.is_narrow = true});
    if (peer.send_unread(size)) {
      peer.half_close();
    }
    unread += peer.sent();
  }
  (void)sys::wait_ready({}, sys::MonotonicClock::now() + kLate);  // Just a pause.
  for (CheckPeer& peer : peers) {
    peer.expect_end();
  }
  return {.figure = size_text(unread) + " unread",
          .reason = "5 connections, 80 to 512 KiB, first read 1 s after the FIN"};
}

// A server that sees the FIN together with the last data must not forget one over the other. Which
// comes first is a race within the server, hence several times.
Finding half_close_with_data(CheckContext& context) {
  constexpr int kTimes = 16;
  constexpr std::uint64_t kStep = 1021;
  std::uint64_t bytes = 1;
  const Stopwatch watch;
  for (int i = 0; i < kTimes; ++i, bytes += kStep) {
    CheckPeer peer(context);
    peer.send_with_fin(bytes);
    peer.expect_end();
  }
  return {.figure = duration_text(watch.elapsed() / kTimes) + " each",
          .reason = "16 times 1 byte to 15 KiB with the FIN: all of them, then end of file"};
}

}  // namespace echod::client
