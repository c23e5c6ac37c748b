#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "client/check/check_peer.hpp"
#include "client/check/checks.hpp"
#include "client/text/figures.hpp"
#include "sys/clock.hpp"

namespace echod::client {

Finding half_close_nothing_sent(CheckContext& context) {
  CheckPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.half_close();
  peer.expect_end();
  return {.figure = duration_text(sys::MonotonicClock::now() - begin),
          .reason = "end of file, and no bytes"};
}

Finding half_close_short_message(CheckContext& context) {
  constexpr std::uint64_t kBytes = 64;
  CheckPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  (void)peer.send_unread(kBytes);  // Fits into the empty send buffer.
  peer.half_close();
  peer.expect_end();
  return {.figure = duration_text(sys::MonotonicClock::now() - begin),
          .reason = "64 bytes, then end of file"};
}

Finding half_close_before_reading(CheckContext& context) {
  constexpr std::uint64_t kBytes = 64 * kKib;
  CheckPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  if (!peer.send_unread(kBytes)) {
    const std::uint64_t unread = peer.sent();
    peer.expect_end();
    return {.verdict = CheckVerdict::skip,
            .reason = "no FIN could be sent before reading: only " + size_text(unread) +
                      " of 64 KiB were taken unread"};
  }
  peer.half_close();
  peer.expect_end();
  return {.figure = duration_text(sys::MonotonicClock::now() - begin),
          .reason = "64 KiB, then end of file"};
}

namespace {

// How many bytes to have in flight: from 48 KiB in steps of 1 KiB, then in larger steps.
std::vector<std::uint64_t> unread_sizes() {
  constexpr std::uint64_t kLeast = 48;
  constexpr std::uint64_t kDense = 96;
  constexpr std::uint64_t kMost = 512;
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t kib = kLeast; kib <= kMost; kib += kib < kDense ? 1 : kib / 4) {
    sizes.push_back(kib * kKib);
  }
  return sizes;
}

// Sends more of the planned bytes, and half-closes when all are sent. Returns whether it made
// progress.
bool send_more_and_half_close(CheckPeer& peer) {
  const std::uint64_t before = peer.sent();
  if (!peer.is_half_closed() && peer.send_unread(0, sys::Duration::zero())) {
    peer.half_close();
    return true;
  }
  return peer.sent() > before;
}

// Sends sizes[i] bytes and then the FIN on peers[i]; fewer bytes and no FIN where sending blocks.
//
// All peers send in the same small steps. A server that got all bytes at once would fill its own
// buffer before the kernel's send buffer has grown, and would then wait for POLLOUT. It would not
// read the FIN, so this check could not find its fault.
void send_unread_with_fin(std::span<CheckPeer> peers, std::span<const std::uint64_t> sizes) {
  constexpr std::chrono::milliseconds kStepTime{5};
  std::uint64_t sent = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (CheckPeer& peer : peers.subspan(i)) {
      (void)peer.send_unread(sizes[i] - sent, sys::Duration::zero());  // The rest is sent below.
    }
    (void)send_more_and_half_close(peers[i]);
    sent = sizes[i];
    std::this_thread::sleep_for(kStepTime);
  }
  while (std::ranges::count_if(peers, send_more_and_half_close) > 0) {
    std::this_thread::sleep_for(CheckPeer::kBlockedTime);
  }
}

}  // namespace

// Some servers wait half a second after the client's FIN and then drop the bytes that are left. To
// catch one, the bytes in flight must exceed what the kernels hold: then the server buffers the
// rest. They must not exceed what the server can buffer: then it would not read the FIN. Both
// limits differ between hosts and servers, so the check tries many sizes.
Finding half_close_late_reader(CheckContext& context) {
  constexpr std::chrono::milliseconds kReadDelay{1000};
  const std::vector<std::uint64_t> sizes = unread_sizes();
  std::vector<CheckPeer> peers;
  while (peers.size() < sizes.size()) {
    peers.emplace_back(context, PeerOptions{.has_small_buffers = true});
  }
  send_unread_with_fin(peers, sizes);
  std::uint64_t unread = 0;
  for (const CheckPeer& peer : peers) {
    unread += peer.sent();
  }
  std::this_thread::sleep_for(kReadDelay);
  const auto arrived = std::ranges::count_if(peers, &CheckPeer::has_fin_arrived);
  for (CheckPeer& peer : peers) {
    peer.expect_end();
  }
  const std::string connections = std::to_string(peers.size()) + " connections of 48 to 453 KiB";
  if (arrived == 0) {
    return {.verdict = CheckVerdict::skip,
            .reason = "no FIN had arrived before the first read: " + connections};
  }
  return {.figure = size_text(unread) + " unread",
          .reason = connections + ", first read after 1 s; " + std::to_string(arrived) +
                    " FINs had arrived by then"};
}

// A server that gets the FIN together with the last data must handle both. Which one it handles
// first is a race in the server, so the check repeats.
Finding half_close_with_data(CheckContext& context) {
  constexpr int kTimes = 16;
  constexpr std::uint64_t kStep = 1021;
  std::uint64_t bytes = 1;
  const sys::TimePoint begin = sys::MonotonicClock::now();
  for (int i = 0; i < kTimes; ++i, bytes += kStep) {
    CheckPeer peer(context);
    peer.send_with_fin(bytes);
    peer.expect_end();
  }
  return {.figure = duration_text((sys::MonotonicClock::now() - begin) / kTimes) + " each",
          .reason = "16 times 1 byte to 15 KiB with the FIN: all of them, then end of file"};
}

}  // namespace echod::client
