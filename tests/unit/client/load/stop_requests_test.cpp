#include "client/load/stop_requests.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

using client::StopRequest;
using client::StopRequests;
using std::chrono::milliseconds;

constexpr sys::TimePoint kStart{std::chrono::hours(1)};

TEST(StopRequestsTest, TheFirstSignalIsAStop) {
  StopRequests stops;
  EXPECT_EQ(stops.on_signal(kStart), StopRequest::first);
}

TEST(StopRequestsTest, SignalsWithinASecondAreOneStop) {
  StopRequests stops;
  (void)stops.on_signal(kStart);
  EXPECT_EQ(stops.on_signal(kStart), StopRequest::duplicate);
  EXPECT_EQ(stops.on_signal(kStart + milliseconds(500)), StopRequest::duplicate);
  EXPECT_EQ(stops.on_signal(kStart + milliseconds(999)), StopRequest::duplicate);
}

TEST(StopRequestsTest, ASignalASecondAfterTheFirstMeansNow) {
  StopRequests stops;
  (void)stops.on_signal(kStart);
  (void)stops.on_signal(kStart + milliseconds(600));  // Does not extend the second.
  EXPECT_EQ(stops.on_signal(kStart + milliseconds(1000)), StopRequest::now);
  EXPECT_EQ(stops.on_signal(kStart + milliseconds(1001)), StopRequest::now);
}

}  // namespace
}  // namespace echod::test
