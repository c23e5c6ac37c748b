// Returns and prints the seed of a randomised test, so that a failure can be repeated. The seed is
// $ECHOD_TEST_SEED if set, else a random one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace echod::test {

[[nodiscard]] inline std::uint64_t announce_seed() {
  const char* const given = std::getenv("ECHOD_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "repeat with ECHOD_TEST_SEED=" << seed << std::endl;
  return seed;
}

}  // namespace echod::test
