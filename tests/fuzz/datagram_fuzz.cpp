// Fuzzes the relay of datagrams. The input decides what arrives, with its source, its control data
// and flags, and what the kernel takes of the replies. Each datagram must be echoed or counted as
// dropped, unchanged, to where it came from, and only if a guard allows it. A train must fit into
// what every kernel sends.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "echo/datagram_relay.hpp"
#include "fuzz_target.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

constexpr std::uint16_t kOwnPort = 2003;

class FuzzedRelay {
 public:
  explicit FuzzedRelay(FuzzInput input) : input_(input) {
    // A failure that the scripted kernel reports ends the process.
    GTEST_FLAG_SET(break_on_failure, true);
    relay_.set_per_source(input_.byte() % 4 == 0 ? 20 : 0);
    kernel_.improvise([this](const MadeCall& made) { return answer(made); });
  }

  void run() {
    while (!input_.is_empty()) {
      const std::size_t most = input_.byte() % (sys::DatagramBatch::kMost + 1);
      (void)relay_.echo(kFd, most, now_);
      now_ += std::chrono::milliseconds(input_.byte());
    }
    std::uint64_t dropped = 0;
    for (auto i = static_cast<std::size_t>(Counter::datagrams_dropped_incomplete);
         i <= static_cast<std::size_t>(Counter::datagrams_dropped_not_sent); ++i) {
      dropped += counters_.get(static_cast<Counter>(i));
    }
    const std::uint64_t echoed = counters_.get(Counter::datagrams_echoed);
    require(counters_.get(Counter::datagrams_received) == echoed + dropped,
            "what is received is echoed or dropped");
    require(counters_.get(Counter::datagrams_echoed) == sent_, "what is sent is counted");
    require(counters_.get(Counter::datagram_bytes_received) == received_bytes_,
            "bytes that are received are counted");
  }

 private:
  std::optional<Step> answer(const MadeCall& made) {
    if (made.call == Call::recvmmsg) {
      return received(made.length);
    }
    if (made.call == Call::sendmmsg) {
      return sent(*made.datagrams);
    }
    return std::nullopt;
  }

  Step received(std::size_t most) {
    constexpr std::array kErrors{EAGAIN, EINTR, ENOMEM, ECONNREFUSED};
    Step step(Call::recvmmsg, kFd);
    const std::size_t count = std::min<std::size_t>(input_.byte() % 8, most);
    if (count == 0) {
      step.error = input_.is_empty() ? EAGAIN : kErrors.at(input_.byte() % kErrors.size());
      return step;
    }
    for (std::size_t i = 0; i < count; ++i) {
      step.datagrams.push_back(next_datagram());
      received_bytes_ += step.datagrams.back().bytes.size();
    }
    step.result = static_cast<std::int64_t>(count);
    return step;
  }

  Datagram next_datagram() {
    constexpr std::array<const char*, 8> kPeers{"192.0.2.1",        "192.0.2.2", "2001:db8::1",
                                                "::ffff:192.0.2.3", "0.0.0.0",   "255.255.255.255",
                                                "ff02::1",          "fe80::1"};
    constexpr std::array<std::uint16_t, 8> kPorts{5555, 5555, 5555, 0, 19, 2049, kOwnPort, 1024};
    constexpr std::array<std::size_t, 8> kLengths{0, 1, 5, 100, 1472, 30000, 65507, 65535};
    constexpr std::array kSegments{0, 0, 1, 7, 100, 1472, 32754, 65535};
    const std::uint8_t shape = input_.byte();
    const std::uint8_t source = input_.byte();
    Datagram datagram;
    datagram.bytes.assign(kLengths.at(shape % 8), static_cast<char>('a' + number_++ % 26));
    datagram.segment = kSegments.at(shape / 8 % 8);
    if (datagram.segment > 0) {  // The kernel makes no longer trains.
      datagram.bytes.resize(
          std::min(datagram.bytes.size(), static_cast<std::size_t>(datagram.segment) * 128));
    }
    datagram.peer = kPeers.at(source % 8);
    datagram.port = kPorts.at(source / 8 % 8);
    datagram.flags = (shape & 0x40) != 0 ? MSG_TRUNC : 0;
    datagram.flags |= (source & 0x40) != 0 ? MSG_CTRUNC : 0;
    datagram.local = datagram.peer.find(':') == std::string::npos ? "192.0.2.9" : "2001:db8::9";
    if ((shape & 0x80) != 0) {
      datagram.control = input_.field();
    } else if ((source & 0x80) != 0) {
      datagram.sent_to = datagram.local == "192.0.2.9" ? "192.0.2.255" : "ff02::1";
    }
    return datagram;
  }

  Step sent(const std::vector<Datagram>& replies) {
    constexpr std::array kErrors{EAGAIN, EINTR,   EMSGSIZE, EINVAL,
                                 EIO,    ENOBUFS, EPERM,    EHOSTUNREACH};
    for (const Datagram& reply : replies) {
      check(reply);
    }
    Step step(Call::sendmmsg, kFd);
    step.any_bytes = true;
    const std::uint8_t what = input_.byte();
    if (what >= 0x80 && !input_.is_empty()) {
      step.error = kErrors.at(what % kErrors.size());
      return step;
    }
    const std::size_t taken = 1 + what % replies.size();
    for (std::size_t i = 0; i < taken; ++i) {
      const auto segment = static_cast<std::size_t>(replies[i].segment);
      sent_ += segment == 0 ? 1 : (replies[i].bytes.size() + segment - 1) / segment;
    }
    step.result = static_cast<std::int64_t>(taken);
    return step;
  }

  static void check(const Datagram& reply) {
    require(reply.port >= 1024 && reply.port != 2049 && reply.port != kOwnPort,
            "no service and no echo is answered");
    require(reply.peer != "0.0.0.0" && reply.peer != "255.255.255.255" && reply.peer != "ff02::1",
            "only hosts are answered", reply.peer);
    require(!reply.local.empty(), "a reply has a source address");
    require(std::all_of(reply.bytes.begin(), reply.bytes.end(),
                        [&reply](char byte) { return byte == reply.bytes.front(); }),
            "a reply has the bytes of one datagram");
    if (reply.segment > 0) {
      const auto segment = static_cast<std::size_t>(reply.segment);
      require(reply.bytes.size() > segment, "a train has several datagrams");
      require(reply.bytes.size() <= sys::DatagramReplies::kMostTrainBytes &&
                  reply.bytes.size() <= segment * sys::DatagramReplies::kMostSegments,
              "a train fits into every kernel");
    }
  }

  FuzzInput input_;
  ScriptedKernel kernel_;
  Counters counters_;
  std::vector<std::uint16_t> own_ports_{kOwnPort};
  DatagramRelay relay_{counters_, own_ports_};
  sys::TimePoint now_{std::chrono::seconds(100)};
  std::size_t number_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_bytes_ = 0;
};

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod::test;
  FuzzedRelay(FuzzInput(data, size)).run();
  return 0;
}
