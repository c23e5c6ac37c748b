// A bijective 64-bit hash: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>

namespace echod::client {

constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// The inverse of mix(): the shifts undone, the constants replaced by their inverses.
constexpr std::uint64_t unmix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 31) ^ (value >> 62)) * 0x319642b2d24d8ec3;
  value = (value ^ (value >> 27) ^ (value >> 54)) * 0x96de1b173f119089;
  return value ^ (value >> 30) ^ (value >> 60);
}

}  // namespace echod::client
