#include "echo/source_rates.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

namespace echod {

namespace {

constexpr std::uint64_t kV4 = 1;
constexpr std::uint64_t kV6 = 2;
constexpr std::size_t kNetworkBytes = 8;  // Of an IPv6 address.

std::array<std::uint64_t, 2> random_key() {
  constexpr unsigned kHalf = 32;
  std::random_device device;
  std::array<std::uint64_t, 2> key{};
  for (std::uint64_t& part : key) {
    part = (std::uint64_t{device()} << kHalf) | device();
  }
  return key;
}

// Mixes two numbers: the high and the low half of their product.
std::uint64_t folded_product(std::uint64_t left, std::uint64_t right) noexcept {
  constexpr unsigned kHalf = 64;
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{left} * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> kHalf);
}

}  // namespace

SourceRates::SourceRates() : SourceRates(random_key()) {}

// Odd parts, so that no product is 0 for every address.
SourceRates::SourceRates(std::array<std::uint64_t, 2> key)
    : key_{key[0] | 1U, key[1] | 1U}, full_at_(kBuckets) {}

bool SourceRates::take_tokens(const SocketAddress& source, std::size_t datagrams,
                              sys::TimePoint now) noexcept {
  constexpr sys::Duration kSecond = std::chrono::seconds(1);
  if (per_second_ == 0) {
    return true;
  }
  sys::TimePoint& full_at = full_at_[bucket_of(source)];
  full_at = std::max(full_at, now);
  if (full_at - now >= kSecond) {
    return false;
  }
  // Rounded up: a second must not have room for one more.
  const sys::Duration whole = kSecond * static_cast<sys::Duration::rep>(datagrams);
  full_at += (whole + sys::Duration(per_second_ - 1)) / per_second_;
  return true;
}

std::size_t SourceRates::bucket_of(const SocketAddress& source) const noexcept {
  const std::span<const std::uint8_t> bytes = source.bytes();
  std::uint64_t address = 0;
  std::memcpy(&address, bytes.data(), std::min(bytes.size(), kNetworkBytes));
  const std::uint64_t mixed =
      folded_product(address ^ key_[0], key_[1] ^ (source.is_v6() ? kV6 : kV4));
  return folded_product(mixed ^ key_[1], key_[0]) % kBuckets;
}

}  // namespace echod
