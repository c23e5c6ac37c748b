#include "config/listener_conflict.hpp"

namespace echod {

std::optional<std::string_view> listener_conflict(const ListenConfig& earlier,
                                                  const ListenConfig& later) noexcept {
  if (earlier.is_local() && earlier.path == later.path) {
    return "both have the same path; remove one";
  }
  if (earlier.is_local() || later.is_local() || earlier.protocol != later.protocol ||
      earlier.address.port() != later.address.port() || later.address.port() == 0) {
    return std::nullopt;
  }
  if (earlier.address == later.address) {
    return "both have the same address and port; remove one";
  }
  if (earlier.address.is_v6() == later.address.is_v6()) {
    if (!earlier.address.is_any() && !later.address.is_any()) {
      return std::nullopt;
    }
    return "one of them listens on all addresses; keep only that one, or only single addresses";
  }
  const ListenConfig& v6 = earlier.address.is_v6() ? earlier : later;
  if (!v6.address.is_any() || v6.v6only) {
    return std::nullopt;
  }
  return "\"::\" serves IPv4 too; set v6only = true in that [[listen]] to keep both";
}

}  // namespace echod
