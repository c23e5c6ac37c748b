// The rate of each source address.
#include "echo/source_rates.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

namespace echod {
namespace {

using namespace std::chrono_literals;

SocketAddress host(const std::string& text, std::uint16_t port = 5555) {
  return SocketAddress::parse(text, port).value();
}

class SourceRatesTest : public testing::Test {
 protected:
  // Returns how many single datagrams are admitted of `tries`.
  std::size_t admitted(const SocketAddress& source, std::size_t tries) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < tries; ++i) {
      count += rates_.take_tokens(source, 1, now_) ? 1U : 0U;
    }
    return count;
  }

  SourceRates rates_{{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F}};
  sys::TimePoint now_{100s};
};

TEST_F(SourceRatesTest, ZeroIsNoLimit) {
  EXPECT_EQ(admitted(host("192.0.2.1"), 100000), 100000U);
}

TEST_F(SourceRatesTest, ASourceMayUseASecondAtOnceAndThenItsRate) {
  rates_.set_per_second(100);
  EXPECT_EQ(admitted(host("192.0.2.1"), 1000), 100U);
  now_ += 10ms;
  EXPECT_EQ(admitted(host("192.0.2.1"), 1000), 1U);
  now_ += 500ms;
  EXPECT_EQ(admitted(host("192.0.2.1"), 1000), 50U);
  now_ += 1h;  // The bucket holds a second, however long the source was silent.
  EXPECT_EQ(admitted(host("192.0.2.1"), 1000), 100U);
}

TEST_F(SourceRatesTest, PortsOfAnAddressShareItsRate) {
  rates_.set_per_second(10);
  EXPECT_EQ(admitted(host("192.0.2.1", 5555), 7), 7U);
  EXPECT_EQ(admitted(host("192.0.2.1", 6666), 7), 3U);
}

TEST_F(SourceRatesTest, AddressesHaveTheirOwnRate) {
  rates_.set_per_second(10);
  ASSERT_NE(rates_.bucket_of(host("192.0.2.1")), rates_.bucket_of(host("192.0.2.2")));
  EXPECT_EQ(admitted(host("192.0.2.1"), 100), 10U);
  EXPECT_EQ(admitted(host("192.0.2.2"), 100), 10U);
}

TEST_F(SourceRatesTest, AnIpv6NetworkIsOneSource) {
  rates_.set_per_second(10);
  EXPECT_EQ(admitted(host("2001:db8::1"), 7), 7U);
  EXPECT_EQ(admitted(host("2001:db8::ffff:1"), 7), 3U);
  EXPECT_NE(rates_.bucket_of(host("2001:db8::1")), rates_.bucket_of(host("2001:db8:0:1::1")));
}

// Else a train of 64 could never be echoed with a limit of 10.
TEST_F(SourceRatesTest, ATrainIsAdmittedAsAWholeAndPaidForLater) {
  rates_.set_per_second(10);
  EXPECT_TRUE(rates_.take_tokens(host("192.0.2.1"), 64, now_));
  EXPECT_FALSE(rates_.take_tokens(host("192.0.2.1"), 1, now_));
  now_ += 5s;
  EXPECT_FALSE(rates_.take_tokens(host("192.0.2.1"), 1, now_));
  now_ += 1s;
  EXPECT_TRUE(rates_.take_tokens(host("192.0.2.1"), 1, now_));
}

TEST_F(SourceRatesTest, AReloadChangesTheLimit) {
  rates_.set_per_second(10);
  EXPECT_EQ(admitted(host("192.0.2.1"), 100), 10U);
  rates_.set_per_second(0);
  EXPECT_EQ(admitted(host("192.0.2.1"), 100), 100U);
}

TEST_F(SourceRatesTest, AddressesAreSpreadOverTheBuckets) {
  std::set<std::size_t> buckets;
  for (int i = 0; i < 4096; ++i) {
    const std::size_t bucket =
        rates_.bucket_of(host("10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256)));
    ASSERT_LT(bucket, SourceRates::kBuckets);
    buckets.insert(bucket);
  }
  EXPECT_GT(buckets.size(), 2400U);  // Of 4096 random ones, 63 % are distinct: 2589.
}

TEST_F(SourceRatesTest, TwoTablesHaveDifferentKeys) {
  const SourceRates one;
  const SourceRates other;
  int differences = 0;
  for (int i = 0; i < 16; ++i) {
    const SocketAddress source = host("192.0.2." + std::to_string(i));
    differences += one.bucket_of(source) != other.bucket_of(source) ? 1 : 0;
  }
  EXPECT_GT(differences, 10);
}

}  // namespace
}  // namespace echod
