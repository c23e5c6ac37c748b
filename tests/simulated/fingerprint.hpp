// A 64-bit hash of a state. Two of n different states have the same hash with a probability of
// about n * n / 2^65; for ten million states that is less than one in 300 000.
#pragma once

#include <cstdint>

namespace echod::test {

class Fingerprint {
 public:
  void add(std::uint64_t value) noexcept {
    constexpr std::uint64_t kFirst = 0xbf58476d1ce4e5b9;  // Constants of splitmix64.
    constexpr std::uint64_t kSecond = 0x94d049bb133111eb;
    value_ = (value_ + 0x9e3779b97f4a7c15) ^ value;
    value_ = (value_ ^ (value_ >> 30U)) * kFirst;
    value_ = (value_ ^ (value_ >> 27U)) * kSecond;
    value_ ^= value_ >> 31U;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace echod::test
