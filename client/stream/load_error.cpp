#include "client/stream/load_error.hpp"

#include <array>

namespace echod::client {

std::string_view name_of(LoadError error) noexcept {
  constexpr std::array<std::string_view, kLoadErrors> kNames{
      "corrupted",   "lost",          "duplicated",   "reordered",       "crossed",
      "unsolicited", "truncated",     "closed_early", "reset",           "stalled",
      "no_end",      "abandoned",     "refused",      "connect_timeout", "no_local_port",
      "to_itself",   "connect_failed"};
  return kNames[static_cast<std::size_t>(error)];
}

bool is_mismatch(LoadError error) noexcept {
  return error <= LoadError::truncated;
}

}  // namespace echod::client
