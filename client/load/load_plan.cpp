#include "client/load/load_plan.hpp"

#include <array>

#include "client/stream/mix.hpp"

namespace echod::client {

std::string_view name_of(LoadMode mode) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"echo", "connect", "stream"};
  return kNames[static_cast<std::size_t>(mode)];
}

std::optional<LoadMode> mode_named(std::string_view name) noexcept {
  for (const LoadMode mode : {LoadMode::echo, LoadMode::connect, LoadMode::stream}) {
    if (name_of(mode) == name) {
      return mode;
    }
  }
  return std::nullopt;
}

std::string_view name_of(Arrivals arrivals) noexcept {
  return arrivals == Arrivals::poisson ? "poisson" : "constant";
}

std::uint32_t MessageSizes::size_of(std::uint32_t connection,
                                    std::uint64_t message) const noexcept {
  if (is_fixed()) {
    return smallest;
  }
  // A hash of connection and message, so that sender and receiver agree without shared state.
  constexpr int kMessageBits = 40;
  const std::uint64_t bits =
      mix(((std::uint64_t{connection} << kMessageBits) + message) * 0x9e3779b97f4a7c15);
  return smallest + static_cast<std::uint32_t>(bits % (std::uint64_t{largest} - smallest + 1));
}

}  // namespace echod::client
