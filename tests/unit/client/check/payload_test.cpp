#include "client/check/payload.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace echod::test {
namespace {

using client::Payload;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::vector<std::byte> bytes_from(const Payload& payload, std::size_t count,
                                  std::uint64_t offset = 0) {
  std::vector<std::byte> bytes(count);
  payload.fill(bytes, offset);
  return bytes;
}

TEST(PayloadTest, ATextIsSentAndMatchedFromAnyOffset) {
  const Payload payload(1, "hello, world");
  EXPECT_TRUE(std::ranges::equal(bytes_from(payload, 5, 7), bytes_of("world")));
  EXPECT_EQ(payload.count_matching(bytes_of("world"), 7), 5U);
  EXPECT_EQ(payload.count_matching(bytes_of("wormd"), 7), 3U);
}

TEST(PayloadTest, WithoutATextEachConnectionSendsItsOwnStream) {
  const Payload first(1);
  const Payload second(2);
  const std::vector<std::byte> bytes = bytes_from(first, 100);
  EXPECT_EQ(first.count_matching(bytes, 0), 100U);
  EXPECT_LT(second.count_matching(bytes, 0), 100U);
}

TEST(PayloadTest, AWrongByteOfATextIsNamed) {
  const Payload payload(4, "one\ntwo");
  EXPECT_EQ(payload.fault_text(
                {.connection = 4, .offset = 3, .sent = 7, .bytes = bytes_of("\r\ntwo")}, 5),
            "connection 4: byte 3 is 0x0d, expected 0x0a");
}

TEST(PayloadTest, BytesBeyondATextAreShown) {
  const Payload payload(4, "one");
  EXPECT_EQ(payload.fault_text(
                {.connection = 4, .offset = 3, .sent = 3, .bytes = bytes_of("login: ")}, 5),
            "connection 4: 7 bytes more than were sent: \"login: \"");
}

TEST(PayloadTest, WrongBytesOfAStreamAreNamedByTheirOrigin) {
  const Payload payload(1);
  const std::vector<std::byte> strange = bytes_from(Payload(2), 64, 128);
  EXPECT_EQ(payload.fault_text({.connection = 1, .offset = 10, .sent = 100, .bytes = strange}, 3)
                .substr(0, 59),
            "connection 1, offset 10: bytes of connection 2, offset 128 ");
}

}  // namespace
}  // namespace echod::test
