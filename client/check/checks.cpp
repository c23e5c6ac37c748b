#include "client/check/checks.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/check/check_peer.hpp"
#include "client/text/figures.hpp"
#include "sys/clock.hpp"
#include "sys/open_files.hpp"

namespace echod::client {

std::string awkward_bytes() {
  using std::string_literals::operator""s;
  std::string text;
  for (int value = 0; value <= 0xff; ++value) {
    text += static_cast<char>(value);
  }
  text += "\0\0\0\0\r\n\n\r\r\r\n\n"s;          // NULs; complete and partial line ends.
  text += "\xff\xf4\xff\xfd\x06\xff\xff\xff"s;  // Telnet: interrupt, timing mark, an escaped 255.
  text += "\x03\x04\x11\x13\x1a\x1b[2J\x7f"s;   // Interrupt, end of file, flow control, escape.
  text += "\xc0\x80\xed\xa0\x80\xfe\xef\xbb\xbf"s;  // Invalid UTF-8, and a byte order mark.
  return text + std::string(kKib, '\xff') + std::string(kKib, '\0');
}

std::string descriptor_shortage(std::uint64_t sockets, const std::string& what) {
  constexpr std::uint64_t kOtherDescriptors = 16;
  const std::uint64_t needed = sockets + kOtherDescriptors;
  const std::uint64_t limit = sys::open_files_limit().soft;
  if (limit >= needed) {
    return "";
  }
  return what + " need " + std::to_string(needed) + " descriptors, and ulimit -n is " +
         std::to_string(limit);
}

namespace {

Finding small_message(CheckContext& context) {
  const std::string text = "Hello, echo!\n";
  CheckPeer peer(context, {.text = text});
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.exchange(text.size());
  const std::string figure = duration_text(sys::MonotonicClock::now() - begin);
  peer.expect_no_more();
  return {.figure = figure, .reason = bytes_text(text.size()) + " came back"};
}

Finding binary(CheckContext& context) {
  const std::string text = awkward_bytes();
  CheckPeer peer(context, {.text = text});
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.exchange(text.size());
  const std::string figure = duration_text(sys::MonotonicClock::now() - begin);
  peer.expect_no_more();
  return {.figure = figure,
          .reason = "all byte values, NUL, CR and LF, telnet commands, invalid UTF-8"};
}

Finding byte_by_byte(CheckContext& context) {
  constexpr int kBytes = 256;
  CheckPeer peer(context);
  std::vector<std::chrono::nanoseconds> round_trips;
  for (int i = 0; i < kBytes; ++i) {
    const sys::TimePoint begin = sys::MonotonicClock::now();
    peer.exchange(1);
    round_trips.push_back(sys::MonotonicClock::now() - begin);
  }
  peer.expect_no_more();
  return {.figure = "median " + duration_text(median(std::move(round_trips))),
          .reason = "256 round trips of 1 byte"};
}

Finding large_late_reader(CheckContext& context) {
  constexpr std::uint64_t kBytes = 64 * kMib;
  // Long enough for a server that waits only for a processor.
  constexpr std::chrono::seconds kReadDelay{1};
  CheckPeer peer(context);
  const bool took_all = peer.send_unread(kBytes, kReadDelay);
  const std::uint64_t unread = peer.sent();
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.expect_end();
  const std::string rate = rate_text(kBytes - unread, sys::MonotonicClock::now() - begin);
  if (took_all) {
    return {.figure = size_text(kBytes) + " unread", .reason = "its buffer has no bound"};
  }
  return {.figure = size_text(kBytes - unread) + " at " + rate,
          .reason = "took " + size_text(unread) + " of 64 MiB unread, then no more for 1 s"};
}

struct Crowd {
  std::vector<CheckPeer> peers;
  sys::Duration longest_connect{0};
};

Crowd connect_all(CheckContext& context) {
  Crowd crowd;
  crowd.peers.reserve(context.plan().connections);
  while (crowd.peers.size() < context.plan().connections) {
    const sys::TimePoint begin = sys::MonotonicClock::now();
    crowd.peers.emplace_back(context);
    crowd.longest_connect = std::max(crowd.longest_connect, sys::MonotonicClock::now() - begin);
  }
  return crowd;
}

// Sends chunk by chunk over all connections, so that all have bytes in flight at the same time.
Finding in_parallel(CheckContext& context) {
  constexpr std::array<std::uint64_t, 5> kChunks{1, 16, 256, 1024, 2803};
  constexpr std::chrono::seconds kRepeatedSyn{1};  // RFC 6298, section 2.
  const std::uint32_t connections = context.plan().connections;
  if (const std::string reason =
          descriptor_shortage(connections, std::to_string(connections) + " connections");
      !reason.empty()) {
    return {.verdict = CheckVerdict::skip, .reason = reason};
  }
  const sys::TimePoint begin = sys::MonotonicClock::now();
  Crowd crowd = connect_all(context);
  for (const std::uint64_t part : kChunks) {
    for (CheckPeer& peer : crowd.peers) {
      peer.send(part);
    }
  }
  for (CheckPeer& peer : crowd.peers) {
    peer.await_all_echoes();
  }
  const std::string taken = duration_text(sys::MonotonicClock::now() - begin);
  CheckPeer::expect_no_more_on(crowd.peers);
  std::string reason = "each got its own 5 parts back, 4100 bytes in all";
  if (crowd.longest_connect >= kRepeatedSyn) {
    reason += "; one waited " + duration_text(crowd.longest_connect) +
              " to connect, as with a short backlog";
  }
  return {.figure = std::to_string(connections) + " connections in " + taken, .reason = reason};
}

Finding pipelining(CheckContext& context) {
  constexpr std::uint64_t kMessages = 1000;
  constexpr std::uint64_t kLargest = 4096;
  constexpr std::uint64_t kStride = 2741;  // Prime: the sizes are spread over the range.
  CheckPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    peer.send(1 + i * kStride % kLargest);
  }
  peer.await_all_echoes();
  const std::string figure =
      size_text(peer.sent()) + " at " + rate_text(peer.sent(), sys::MonotonicClock::now() - begin);
  peer.expect_no_more();
  return {.figure = figure, .reason = "1000 messages of 1 to 4096 bytes without waiting, in order"};
}

// Bytes for a connection that was reset must not reach the next one.
Finding abrupt_close(CheckContext& context) {
  constexpr int kTimes = 50;
  constexpr std::uint64_t kUnread = 64 * kKib;
  constexpr std::uint64_t kBytes = 1 * kKib;
  const sys::TimePoint begin = sys::MonotonicClock::now();
  for (int i = 0; i < kTimes; ++i) {
    CheckPeer gone(context);
    (void)gone.send_unread(kUnread);  // Any amount in flight will do.
    gone.reset();
    CheckPeer next(context);
    next.exchange(kBytes);
    next.expect_no_more();
  }
  return {.figure = duration_text((sys::MonotonicClock::now() - begin) / kTimes) + " each",
          .reason = "50 times reset with 64 KiB under way; the next got its own 1 KiB back"};
}

constexpr std::array<Check, 12> kChecks{{
    {"small message", small_message},
    {"binary", binary},
    {"byte by byte", byte_by_byte},
    {"half-close, nothing sent", half_close_nothing_sent},
    {"half-close, short message", half_close_short_message},
    {"half-close, before reading", half_close_before_reading},
    {"half-close, late reader", half_close_late_reader},
    {"half-close, FIN with data", half_close_with_data},
    {"large, late reader", large_late_reader},
    {"in parallel", in_parallel},
    {"pipelining", pipelining},
    {"abrupt close", abrupt_close},
}};

}  // namespace

std::span<const Check> all_checks(Transport transport) noexcept {
  return transport == Transport::udp ? datagram_checks() : std::span<const Check>(kChecks);
}

}  // namespace echod::client
