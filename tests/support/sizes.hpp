// Units of size.
#pragma once

#include <cstdint>

namespace echod::test {

inline constexpr std::uint64_t kKib = 1024;
inline constexpr std::uint64_t kMib = 1024 * kKib;

}  // namespace echod::test
