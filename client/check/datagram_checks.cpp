// The checks of UDP. A check fails if a datagram is lost: a path without other traffic loses none.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/check/checks.hpp"
#include "client/check/datagram_peer.hpp"
#include "client/text/figures.hpp"
#include "sys/clock.hpp"

namespace echod::client {

namespace {

// The bytes of a datagram that fills an Ethernet frame over IPv4. With one byte more, the datagram
// is sent in two fragments.
constexpr std::size_t kEthernetBytes = 1472;

// Sends a datagram of `bytes` bytes and waits until it is back. Returns how long that took.
std::string exchange_time(DatagramPeer& peer, std::size_t bytes) {
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.send(bytes);
  peer.await_all_echoes();
  return duration_text(sys::MonotonicClock::now() - begin);
}

template <std::size_t bytes>
Finding one_size(CheckContext& context, const std::string& reason) {
  DatagramPeer peer(context);
  const std::string figure = exchange_time(peer, bytes);
  peer.expect_no_more();
  return {.figure = figure, .reason = reason};
}

Finding small_datagram(CheckContext& context) {
  const std::string text = "Hello, echo!\n";
  DatagramPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.send_text(text);
  peer.await_all_echoes();
  const std::string figure = duration_text(sys::MonotonicClock::now() - begin);
  peer.expect_no_more();
  return {.figure = figure, .reason = bytes_text(text.size()) + " came back"};
}

Finding binary_datagram(CheckContext& context) {
  DatagramPeer peer(context);
  const sys::TimePoint begin = sys::MonotonicClock::now();
  peer.send_text(awkward_bytes());
  peer.await_all_echoes();
  const std::string figure = duration_text(sys::MonotonicClock::now() - begin);
  peer.expect_no_more();
  return {.figure = figure,
          .reason = "all byte values, NUL, CR and LF, telnet commands, invalid UTF-8"};
}

Finding empty_datagram(CheckContext& context) {
  return one_size<0>(context, "a datagram without bytes came back");
}

Finding one_byte(CheckContext& context) {
  return one_size<1>(context, "1 byte came back");
}

Finding ethernet_frame(CheckContext& context) {
  return one_size<kEthernetBytes>(context, "1472 bytes, which fill an Ethernet frame");
}

Finding two_fragments(CheckContext& context) {
  return one_size<kEthernetBytes + 1>(context, "1473 bytes, one more than an Ethernet frame holds");
}

Finding longest_datagram(CheckContext& context) {
  return one_size<sys::kLongestDatagram>(context, "65507 bytes, the most over IPv4");
}

Finding one_by_one(CheckContext& context) {
  constexpr int kDatagrams = 256;
  constexpr std::size_t kBytes = 64;
  DatagramPeer peer(context);
  std::vector<std::chrono::nanoseconds> round_trips;
  for (int i = 0; i < kDatagrams; ++i) {
    const sys::TimePoint begin = sys::MonotonicClock::now();
    peer.send(kBytes);
    peer.await_all_echoes();
    round_trips.push_back(sys::MonotonicClock::now() - begin);
  }
  peer.expect_no_more();
  return {.figure = "median " + duration_text(median(std::move(round_trips))),
          .reason = "256 round trips of 64 bytes, each came back once"};
}

// A server with several addresses must answer from the address that the client sent to. An answer
// from another address arrives at the second socket (datagram_socket.hpp) and fails the check.
Finding reply_address(CheckContext& context) {
  DatagramPeer peer(context);
  const std::string figure = exchange_time(peer, DatagramFormat::kHeaderBytes);
  peer.expect_no_more();
  return {.figure = figure,
          .reason = "the answer came from " + context.plan().server.address().text()};
}

void await_all_of(std::span<DatagramPeer> peers, std::chrono::nanoseconds timeout) {
  for (DatagramPeer& peer : peers) {
    if (peer.await_echoes(timeout) > 0) {
      // Fails if another socket got the datagram: that tells more than a missing datagram.
      DatagramPeer::expect_no_more_on(peers);
      peer.await_all_echoes();
    }
  }
}

// Each socket must get its own datagrams and no others.
Finding sockets_in_parallel(CheckContext& context) {
  constexpr std::array<std::size_t, 5> kSizes{16, 64, 256, 1024, kEthernetBytes};
  constexpr std::uint64_t kDescriptorsPerSocket = 2;
  const std::uint32_t sockets = context.plan().connections;
  const std::string what = std::to_string(sockets) + " sockets";
  if (const std::string reason = descriptor_shortage(sockets * kDescriptorsPerSocket, what);
      !reason.empty()) {
    return {.verdict = CheckVerdict::skip, .reason = reason};
  }
  std::vector<DatagramPeer> peers;
  peers.reserve(sockets);
  while (peers.size() < sockets) {
    peers.emplace_back(context);
  }
  const sys::TimePoint begin = sys::MonotonicClock::now();
  for (const std::size_t bytes : kSizes) {
    for (DatagramPeer& peer : peers) {
      peer.send(bytes);
    }
    await_all_of(peers, context.plan().timeout);
  }
  const std::string taken = duration_text(sys::MonotonicClock::now() - begin);
  DatagramPeer::expect_no_more_on(peers);
  return {.figure = what + " in " + taken,
          .reason = "each got its own 5 datagrams back, 16 to 1472 bytes"};
}

// Sends as many datagrams without waiting as fit into a receive buffer of the default size.
Finding burst(CheckContext& context) {
  constexpr std::size_t kTrains = 2;
  constexpr std::size_t kTrain = 32;
  constexpr std::size_t kBytes = 1200;
  DatagramPeer peer(context);
  bool is_cut_by_kernel = true;
  const sys::TimePoint begin = sys::MonotonicClock::now();
  for (std::size_t i = 0; i < kTrains; ++i) {
    is_cut_by_kernel = peer.send_train(kTrain, kBytes) && is_cut_by_kernel;
  }
  const std::size_t lost = peer.await_echoes(context.plan().timeout);
  const std::string figure = std::to_string(kTrains * kTrain - lost) + " of " +
                             std::to_string(kTrains * kTrain) + " in " +
                             duration_text(sys::MonotonicClock::now() - begin);
  const std::string sent =
      is_cut_by_kernel ? "2 trains of 32 datagrams" : "64 datagrams without waiting";
  const std::string order = ", " + std::to_string(peer.reordered()) + " out of order";
  if (lost == 0) {
    peer.expect_no_more();
    return {.figure = figure, .reason = sent + " of 1200 bytes: all came back" + order};
  }
  const std::string loss = sent + ": " + std::to_string(lost) + " of 64 were lost";
  if (const std::uint32_t dropped = peer.dropped_here(); dropped > 0) {
    return {.verdict = CheckVerdict::skip,
            .figure = figure,
            .reason = loss + ", " + std::to_string(dropped) + " of them by this host"};
  }
  return {.verdict = CheckVerdict::fail, .figure = figure, .reason = loss + order};
}

// An attacker can make an echo service and a service on a low port answer each other without end
// (CVE-2024-2169). So a server may refuse to answer low ports. The check only notes what it does.
Finding low_source_port(CheckContext& context) {
  constexpr std::uint16_t kFirst = 1023;
  constexpr std::uint16_t kLast = 1000;
  constexpr std::chrono::milliseconds kPatience{500};
  for (std::uint16_t port = kFirst; port >= kLast; --port) {
    try {
      DatagramPeer peer(context, port);
      peer.send(DatagramFormat::kHeaderBytes);
      const bool is_refused = peer.await_echoes(std::min<std::chrono::nanoseconds>(
                                  context.plan().timeout, kPatience)) > 0;
      return {.verdict = CheckVerdict::note,
              .figure = is_refused ? "not answered" : "answered",
              .reason = "a datagram from port " + std::to_string(port)};
    } catch (const DatagramPeer::PortRefused&) {
      return {.verdict = CheckVerdict::note,
              .figure = "not tried",
              .reason = "a port below 1024 needs CAP_NET_BIND_SERVICE"};
    } catch (const CannotConnect& refusal) {  // If no server is there, other checks have failed.
      return {.verdict = CheckVerdict::note, .figure = "refused", .reason = refusal.what()};
    } catch (const DatagramPeer::NetworkFailure& failure) {
      return {.verdict = CheckVerdict::note, .figure = "not answered", .reason = failure.what()};
    } catch (const CheckFailure& failure) {  // The other checks judge wrong answers.
      return {.verdict = CheckVerdict::note, .figure = "answered", .reason = failure.what()};
    } catch (const std::system_error&) {
      continue;  // The port is in use.
    }
  }
  return {.verdict = CheckVerdict::note,
          .figure = "not tried",
          .reason = "the ports from 1000 to 1023 are in use"};
}

constexpr std::array<Check, 12> kDatagramChecks{{
    {"small datagram", small_datagram},
    {"binary", binary_datagram},
    {"empty datagram", empty_datagram},
    {"1 byte", one_byte},
    {"1472 bytes", ethernet_frame},
    {"1473 bytes", two_fragments},
    {"65507 bytes", longest_datagram},
    {"one by one", one_by_one},
    {"reply address", reply_address},
    {"in parallel", sockets_in_parallel},
    {"burst", burst},
    {"low source port", low_source_port},
}};

}  // namespace

std::span<const Check> datagram_checks() noexcept {
  return kDatagramChecks;
}

}  // namespace echod::client
