// A hash of a state, 64 bits wide: of n states some two are taken for one with a chance of about
// n * n / 2^65, for ten million one in a million.
#pragma once

#include <cstdint>

namespace echod::test {

class Fingerprint {
 public:
  void add(std::uint64_t value) noexcept {
    constexpr std::uint64_t kFirst = 0xbf58476d1ce4e5b9;  // Of the finaliser of splitmix64.
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
