#include "client/check/check_context.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace echod::client {

namespace {

constexpr std::size_t kBufferBytes = 65536;

}  // namespace

CheckContext::CheckContext(const CheckPlan& plan) : plan_(plan), buffer_(kBufferBytes) {}

void CheckContext::trace(const std::string& event) const {
  if (!is_traced()) {
    return;
  }
  const std::chrono::duration<double> since = sys::MonotonicClock::now() - begin_;
  std::array<char, 32> time{};
  (void)std::snprintf(time.data(), time.size(), "%.6f ", since.count());
  plan_.trace(time.data() + event);
}

}  // namespace echod::client
