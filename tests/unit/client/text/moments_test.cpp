#include "client/text/moments.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Moment kSome(seconds(1'795'857'858));  // According to date(1).

TEST(MomentsTest, AMomentIsWrittenInUtcToTheNanosecond) {
  EXPECT_EQ(moment_text(kSome), "2026-11-28T09:24:18.000000000Z");
  EXPECT_EQ(moment_text(kSome + nanoseconds(1)), "2026-11-28T09:24:18.000000001Z");
  EXPECT_EQ(moment_text(Moment(nanoseconds(0))), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(moment_text(Moment(nanoseconds(-1))), "1969-12-31T23:59:59.999999999Z");
}

TEST(MomentsTest, WrittenMomentsAreReadBack) {
  for (const nanoseconds more : {nanoseconds(0), nanoseconds(1), nanoseconds(999'999'999),
                                 nanoseconds(std::chrono::hours(24 * 365 * 100))}) {
    EXPECT_EQ(parse_moment(moment_text(kSome + more)), kSome + more);
  }
}

TEST(MomentsTest, ReadsRfc3339) {
  for (const char* const text :
       {"2026-11-28T09:24:18Z", "2026-11-28t09:24:18z", "2026-11-28 09:24:18Z",
        "2026-11-28T10:24:18+01:00", "2026-11-28T03:54:18-05:30", "2026-11-28T09:24:18.0Z",
        "2026-11-28T09:24:18+00:00"}) {
    EXPECT_EQ(parse_moment(text), kSome) << text;
  }
  EXPECT_EQ(parse_moment("2026-11-28T09:24:18.25Z"), kSome + std::chrono::milliseconds(250));
  EXPECT_EQ(parse_moment("2026-11-28T09:24:18.0000000019Z"), kSome + nanoseconds(1));
  EXPECT_EQ(parse_moment("2024-02-29T00:00:00Z"), Moment(seconds(1'709'164'800)));
  EXPECT_EQ(parse_moment("2016-12-31T23:59:60Z"), Moment(seconds(1'483'228'800)));
}

TEST(MomentsTest, ReadsSecondsSinceTheEpoch) {
  EXPECT_EQ(parse_moment("1795857858"), kSome);
  EXPECT_EQ(parse_moment("1795857858.000000001"), kSome + nanoseconds(1));
  EXPECT_EQ(parse_moment("0"), Moment(nanoseconds(0)));
  EXPECT_EQ(parse_moment("9000000000"), Moment(seconds(9'000'000'000)));
  for (const char* const text : {".5", "1795857858.", "1.5.2", "9000000001", "-1",
                                 "99999999999999999999999", "1795857858s", "+1795857858"}) {
    EXPECT_EQ(parse_moment(text), std::nullopt) << text;
  }
}

TEST(MomentsTest, RefusesOtherTexts) {
  for (const char* const text : {"",
                                 "now",
                                 "2026-11-28",
                                 "2026-11-28T09:24:18",
                                 "2026-11-28T09:24Z",
                                 "2026-1-28T09:24:18Z",
                                 "2026-02-29T09:24:18Z",
                                 "2026-13-01T09:24:18Z",
                                 "2026-00-01T09:24:18Z",
                                 "2026-11-00T09:24:18Z",
                                 "2026-11-31T09:24:18Z",
                                 "2026-11-28T24:24:18Z",
                                 "2026-11-28T09:60:18Z",
                                 "2026-11-28T09:24:61Z",
                                 "2026-11-28T09:24:18.Z",
                                 "2026-11-28T09:24:18.5",
                                 "2026-11-28T09:24:18Zulu",
                                 " 2026-11-28T09:24:18Z",
                                 "2026-11-28T09:24:18+0100",
                                 "2026-11-28T09:24:18+24:00",
                                 "2026-11-28T09:24:18+01",
                                 "+026-11-28T09:24:18Z",
                                 "2026/11/28T09:24:18Z",
                                 "1969-12-31T23:59:59Z",
                                 "9999-12-31T23:59:59Z",
                                 "2026-11-28T09:24:-1Z"}) {
    EXPECT_EQ(parse_moment(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace echod::client
