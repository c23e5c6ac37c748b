// Datagrams and trains through a relay, on a scripted kernel.
#include "echo/datagram_relay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMost = sys::DatagramBatch::kMost;

Datagram single(const std::string& bytes) {
  return {.bytes = bytes};
}

Datagram train(std::size_t segment, std::size_t length) {
  std::string bytes(length, '\0');
  for (std::size_t i = 0; i < length; ++i) {
    bytes[i] = static_cast<char>('a' + i / segment % 26);
  }
  return {.bytes = bytes, .segment = static_cast<int>(segment)};
}

// The part of a train that begins at `offset`.
Datagram part(const Datagram& whole, std::size_t offset, std::size_t length) {
  Datagram piece = whole;
  piece.bytes = whole.bytes.substr(offset, length);
  if (static_cast<int>(piece.bytes.size()) <= piece.segment) {
    piece.segment = 0;
  }
  return piece;
}

std::vector<Datagram> datagrams_of(const Datagram& whole) {
  std::vector<Datagram> all;
  const auto segment = static_cast<std::size_t>(whole.segment);
  for (std::size_t offset = 0; offset < whole.bytes.size(); offset += segment) {
    all.push_back(part(whole, offset, segment));
  }
  return all;
}

class DatagramRelayTest : public testing::Test {
 protected:
  DatagramRelay::BatchResult echo(std::size_t most = kMost) {
    const DatagramRelay::BatchResult batch = relay_.echo(kFd, most, now_);
    kernel_.verify();
    return batch;
  }
  [[nodiscard]] std::uint64_t count(Counter counter) const { return counters_.get(counter); }
  // Each datagram that was received was echoed or dropped.
  void expect_balance() const {
    std::uint64_t dropped = 0;
    for (auto i = static_cast<std::size_t>(Counter::datagrams_dropped_incomplete);
         i <= static_cast<std::size_t>(Counter::datagrams_dropped_not_sent); ++i) {
      dropped += counters_.get(static_cast<Counter>(i));
    }
    EXPECT_EQ(count(Counter::datagrams_received), count(Counter::datagrams_echoed) + dropped);
  }
  void TearDown() override { expect_balance(); }
  // The kernel refuses the train with `error`, and takes its datagrams one by one.
  void expect_refused_train(const Datagram& whole, int error) {
    kernel_.expect_recvmmsg(kFd, {whole});
    kernel_.expect_sendmmsg_error(kFd, error);
    kernel_.expect_sendmmsg(kFd, datagrams_of(whole));
    (void)echo();
  }

  ScriptedKernel kernel_;
  Counters counters_;
  std::vector<std::uint16_t> own_ports_{2003};
  DatagramRelay relay_{counters_, own_ports_};
  sys::TimePoint now_{100s};
};

TEST_F(DatagramRelayTest, EchoesABatchInOneCall) {
  const std::vector<Datagram> batch{single("one"), single("two"), single("three")};
  kernel_.expect_recvmmsg(kFd, batch, kMost);
  kernel_.expect_sendmmsg(kFd, batch);
  const DatagramRelay::BatchResult result = echo();
  EXPECT_EQ(result.received, 3U);
  EXPECT_EQ(result.bytes, 11U);
  EXPECT_EQ(result.error, 0);
  EXPECT_EQ(count(Counter::datagrams_received), 3U);
  EXPECT_EQ(count(Counter::datagrams_echoed), 3U);
  EXPECT_EQ(count(Counter::datagram_bytes_received), 11U);
  EXPECT_EQ(count(Counter::datagram_bytes_sent), 11U);
  EXPECT_EQ(count(Counter::datagram_trains), 0U);
}

TEST_F(DatagramRelayTest, EchoesADatagramWithoutBytes) {
  kernel_.expect_recvmmsg(kFd, {single("")});
  kernel_.expect_sendmmsg(kFd, {single("")});
  EXPECT_EQ(echo().received, 1U);
  EXPECT_EQ(count(Counter::datagrams_echoed), 1U);
}

TEST_F(DatagramRelayTest, EchoesALargestDatagramAsItIs) {
  const Datagram largest = single(std::string(65507, 'x'));
  kernel_.expect_recvmmsg(kFd, {largest});
  kernel_.expect_sendmmsg(kFd, {largest});
  (void)echo();
}

// The interface of the request is not kept: it could override the source address.
TEST_F(DatagramRelayTest, AnswersFromTheAddressThatWasAskedThroughAnyInterface) {
  Datagram asked{.bytes = "hello", .local = "192.0.2.77", .interface = 3};
  kernel_.expect_recvmmsg(kFd, {asked});
  asked.interface = 0;
  kernel_.expect_sendmmsg(kFd, {asked});
  (void)echo();
}

TEST_F(DatagramRelayTest, KeepsTheInterfaceOfALinkLocalAddress) {
  const Datagram asked{
      .bytes = "hello", .peer = "fe80::2", .scope = 3, .local = "fe80::1", .interface = 3};
  kernel_.expect_recvmmsg(kFd, {asked});
  kernel_.expect_sendmmsg(kFd, {asked});
  (void)echo();
}

TEST_F(DatagramRelayTest, AnswersIpv6FromTheAddressThatWasAsked) {
  Datagram asked{.bytes = "hello", .peer = "2001:db8::2", .local = "2001:db8::1", .interface = 3};
  kernel_.expect_recvmmsg(kFd, {asked});
  asked.interface = 0;
  kernel_.expect_sendmmsg(kFd, {asked});
  (void)echo();
}

TEST_F(DatagramRelayTest, DropsWhatAGuardRefuses) {
  Datagram own_port = single("loop");
  own_port.port = 2003;
  Datagram service = single("chargen");
  service.port = 19;
  Datagram broadcast = single("all");
  broadcast.sent_to = "192.0.2.255";
  Datagram multicast = single("group");
  multicast.local = "2001:db8::1";
  multicast.peer = "2001:db8::2";
  multicast.sent_to = "ff02::1";
  kernel_.expect_recvmmsg(kFd, {own_port, service, broadcast, multicast, single("good")});
  kernel_.expect_sendmmsg(kFd, {single("good")});
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_received), 5U);
  EXPECT_EQ(count(Counter::datagrams_dropped_own_port), 1U);
  EXPECT_EQ(count(Counter::datagrams_dropped_service_port), 1U);
  EXPECT_EQ(count(Counter::datagrams_dropped_to_many), 2U);
}

TEST_F(DatagramRelayTest, DropsWhatDidNotFit) {
  Datagram cut = single("short");
  cut.flags = MSG_TRUNC;
  Datagram without_control = train(4, 16);
  without_control.segment = 0;  // The size of its datagrams is lost.
  without_control.flags = MSG_CTRUNC;
  Datagram without_address = single("from where");
  without_address.local = "";
  kernel_.expect_recvmmsg(kFd, {cut, without_control, without_address});
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_dropped_incomplete), 3U);
}

TEST_F(DatagramRelayTest, DropsWhatExceedsTheRateOfItsSource) {
  relay_.set_per_source(2);
  Datagram other = single("other");
  other.peer = "198.51.100.7";
  kernel_.expect_recvmmsg(kFd, {single("1"), single("2"), single("3"), other});
  kernel_.expect_sendmmsg(kFd, {single("1"), single("2"), other});
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_dropped_source_rate), 1U);
}

TEST_F(DatagramRelayTest, AnEmptyQueueIsNoError) {
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  const DatagramRelay::BatchResult result = echo();
  EXPECT_EQ(result.received, 0U);
  EXPECT_EQ(result.error, 0);
}

TEST_F(DatagramRelayTest, ReceivesAndSendsAgainAfterASignal) {
  kernel_.expect_recvmmsg_error(kFd, EINTR);
  kernel_.expect_recvmmsg(kFd, {single("hello")});
  kernel_.expect_sendmmsg_error(kFd, EINTR);
  kernel_.expect_sendmmsg(kFd, {single("hello")});
  EXPECT_EQ(echo().received, 1U);
}

TEST_F(DatagramRelayTest, ReportsTheErrorOfAReceive) {
  for (const int error : {ENOMEM, ENETDOWN, ECONNREFUSED, EIO}) {
    kernel_.expect_recvmmsg_error(kFd, error);
    EXPECT_EQ(echo().error, error);
  }
}

// sendmmsg(2) returns how many it sent before the bad one, and its errno only in the next call.
TEST_F(DatagramRelayTest, SkipsADatagramThatCannotBeSentInEachPosition) {
  const std::vector<Datagram> batch{single("one"), single("two"), single("three")};
  for (std::size_t bad = 0; bad < batch.size(); ++bad) {
    kernel_.expect_recvmmsg(kFd, batch);
    if (bad > 0) {
      kernel_.expect_sendmmsg(kFd, batch, bad);
    }
    kernel_.expect_sendmmsg_error(kFd, EHOSTUNREACH);
    if (bad + 1 < batch.size()) {
      kernel_.expect_sendmmsg(kFd,
                              {batch.begin() + static_cast<std::ptrdiff_t>(bad) + 1, batch.end()});
    }
    (void)echo();
    EXPECT_EQ(count(Counter::datagrams_dropped_not_sent), bad + 1);
  }
  EXPECT_EQ(count(Counter::datagrams_echoed), 6U);
}

TEST_F(DatagramRelayTest, EveryErrorOfASendDropsThatDatagramOnly) {
  std::uint64_t dropped = 0;
  for (const int error : {EPERM, EACCES, ENOBUFS, ENOMEM, EINVAL, EMSGSIZE, EIO, ENETUNREACH,
                          ENETDOWN, ECONNREFUSED, EADDRNOTAVAIL}) {
    kernel_.expect_recvmmsg(kFd, {single("bad"), single("good")});
    kernel_.expect_sendmmsg_error(kFd, error);
    kernel_.expect_sendmmsg(kFd, {single("good")});
    (void)echo();
    EXPECT_EQ(count(Counter::datagrams_dropped_not_sent), ++dropped) << strerrorname_np(error);
  }
}

// A full socket takes none of those that follow. They are not queued.
TEST_F(DatagramRelayTest, DropsTheRestOfABatchThatDoesNotFit) {
  const std::vector<Datagram> batch{single("one"), single("two"), single("three")};
  kernel_.expect_recvmmsg(kFd, batch);
  kernel_.expect_sendmmsg(kFd, batch, 1);
  kernel_.expect_sendmmsg_error(kFd, EAGAIN);
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_echoed), 1U);
  EXPECT_EQ(count(Counter::datagrams_dropped_not_sent), 2U);
  kernel_.expect_recvmmsg(kFd, {single("later")});
  kernel_.expect_sendmmsg(kFd, {single("later")});
  (void)echo();
}

TEST_F(DatagramRelayTest, SendsATrainBackAsATrain) {
  const Datagram whole = train(1200, 32 * 1200 - 7);  // The last one is shorter.
  kernel_.expect_recvmmsg(kFd, {whole});
  kernel_.expect_sendmmsg(kFd, {whole});
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_received), 32U);
  EXPECT_EQ(count(Counter::datagrams_echoed), 32U);
  EXPECT_EQ(count(Counter::datagram_trains), 1U);
}

TEST_F(DatagramRelayTest, SplitsATrainAfter64Datagrams) {
  for (const std::size_t segments : {64U, 65U, 128U, 129U}) {
    const Datagram whole = train(100, segments * 100);
    std::vector<Datagram> pieces;
    for (std::size_t offset = 0; offset < whole.bytes.size(); offset += 6400) {
      pieces.push_back(part(whole, offset, 6400));
    }
    EXPECT_EQ(pieces.size(), (segments + 63) / 64);
    kernel_.expect_recvmmsg(kFd, {whole});
    kernel_.expect_sendmmsg(kFd, pieces);
    (void)echo();
  }
}

TEST_F(DatagramRelayTest, SplitsATrainAfter65507Bytes) {
  const Datagram whole = train(1472, 65535);
  constexpr std::size_t kPiece = std::size_t{44} * 1472;
  kernel_.expect_recvmmsg(kFd, {whole});
  kernel_.expect_sendmmsg(kFd, {part(whole, 0, kPiece), part(whole, kPiece, 65535 - kPiece)});
  (void)echo();
}

// Two do not fit into one train.
TEST_F(DatagramRelayTest, SendsDatagramsOfHalfAMaximumOneByOne) {
  const Datagram whole = train(32754, 65508);
  kernel_.expect_recvmmsg(kFd, {whole});
  kernel_.expect_sendmmsg(kFd, datagrams_of(whole));
  (void)echo();
}

TEST_F(DatagramRelayTest, SendsMoreRepliesThanACallTakes) {
  std::vector<Datagram> batch;
  std::vector<Datagram> pieces;
  for (std::size_t i = 0; i < kMost; ++i) {
    batch.push_back(train(10, 5 * 640));
    for (std::size_t offset = 0; offset < batch.back().bytes.size(); offset += 640) {
      pieces.push_back(part(batch.back(), offset, 640));
    }
  }
  kernel_.expect_recvmmsg(kFd, batch);
  for (auto begin = pieces.begin(); begin != pieces.end();) {
    const auto count = std::min<std::ptrdiff_t>(sys::DatagramReplies::kMost, pieces.end() - begin);
    kernel_.expect_sendmmsg(kFd, {begin, begin + count});
    begin += count;
  }
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_echoed), kMost * 320);
}

TEST_F(DatagramRelayTest, SendsARefusedTrainOneByOne) {
  for (const int error : {EMSGSIZE, EINVAL, EIO}) {
    expect_refused_train(train(1000, 2500), error);
    kernel_.expect_recvmmsg(kFd, {train(1000, 2500)});  // One that is sent ends the series.
    kernel_.expect_sendmmsg(kFd, {train(1000, 2500)});
    (void)echo();
  }
  EXPECT_EQ(count(Counter::datagram_trains_refused), 3U);
  EXPECT_EQ(count(Counter::datagrams_echoed), 18U);
}

TEST_F(DatagramRelayTest, ARefusedTrainDoesNotDelayTheOthersOfItsBatch) {
  const Datagram bad = train(1000, 2000);
  kernel_.expect_recvmmsg(kFd, {single("one"), bad, single("two")});
  kernel_.expect_sendmmsg(kFd, {single("one"), bad, single("two")}, 1);
  kernel_.expect_sendmmsg_error(kFd, EIO);
  kernel_.expect_sendmmsg(kFd, datagrams_of(bad), 1);
  kernel_.expect_sendmmsg_error(kFd, ENOBUFS);  // For the second of the train.
  kernel_.expect_sendmmsg(kFd, {single("two")});
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_dropped_not_sent), 1U);
}

TEST_F(DatagramRelayTest, AnotherErrorDropsTheWholeTrain) {
  kernel_.expect_recvmmsg(kFd, {train(1000, 2500)});
  kernel_.expect_sendmmsg_error(kFd, ENETUNREACH);
  (void)echo();
  EXPECT_EQ(count(Counter::datagrams_dropped_not_sent), 3U);
  EXPECT_EQ(count(Counter::datagram_trains_refused), 0U);
}

TEST_F(DatagramRelayTest, SendsNoTrainsForAMinuteAfterThreeRefusals) {
  const Datagram whole = train(1000, 2500);
  for (unsigned i = 0; i < DatagramRelay::kMostRefusals; ++i) {
    expect_refused_train(whole, EIO);
  }
  now_ += DatagramRelay::kTimeWithoutTrains - 1ms;
  kernel_.expect_recvmmsg(kFd, {whole});
  kernel_.expect_sendmmsg(kFd, datagrams_of(whole));
  (void)echo();
  now_ += 1ms;
  kernel_.expect_recvmmsg(kFd, {whole});
  kernel_.expect_sendmmsg(kFd, {whole});
  (void)echo();
  EXPECT_EQ(count(Counter::datagram_trains_refused), 3U);
}

}  // namespace
}  // namespace echod::test
