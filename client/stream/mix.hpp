// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that leaves no
// pattern.
// Thread-safety: functions without state.
#pragma once

#include <cstdint>

namespace echod::client {

constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Its inverse: multiplies by the inverses of the constants and undoes the shifts.
constexpr std::uint64_t unmix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 31) ^ (value >> 62)) * 0x319642b2d24d8ec3;
  value = (value ^ (value >> 27) ^ (value >> 54)) * 0x96de1b173f119089;
  return value ^ (value >> 30) ^ (value >> 60);
}

}  // namespace echod::client
