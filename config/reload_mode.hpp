// How far a reload goes.
//
// Thread-safety: plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace echod {

enum class ReloadMode : std::uint8_t {
  as_needed,  // With an upgrade in place if the program or a key that needs one has changed.
  forced,     // With an upgrade in any case.
};

// Merges two waiting reloads: forced if either is.
[[nodiscard]] constexpr ReloadMode merged(std::optional<ReloadMode> waiting,
                                          ReloadMode next) noexcept {
  return std::max(waiting.value_or(next), next);
}

}  // namespace echod
