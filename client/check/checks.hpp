// The list of checks. Each check opens its own connections, and returns a Finding or throws as
// described in check_peer.hpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "client/check/check_context.hpp"
#include "client/check/run_checks.hpp"

namespace echod::client {

struct Finding {
  CheckVerdict verdict = CheckVerdict::pass;
  std::string figure = {};
  std::string reason = {};
};

struct Check {
  std::string_view name;
  Finding (*run)(CheckContext& context);
};

// In the order in which they run, basic checks first. Those of UDP are in datagram_checks.cpp.
[[nodiscard]] std::span<const Check> all_checks(Transport transport) noexcept;
[[nodiscard]] std::span<const Check> datagram_checks() noexcept;

// Bytes that terminals, telnet and text-oriented servers often change.
[[nodiscard]] std::string awkward_bytes();
// Says why there are too few descriptors for `sockets`, which are called `what`. Empty if there are
// enough.
[[nodiscard]] std::string descriptor_shortage(std::uint64_t sockets, const std::string& what);

// half_close_checks.cpp: after the client's FIN, all bytes owed must come back, then the server's
// FIN.
Finding half_close_nothing_sent(CheckContext& context);
Finding half_close_short_message(CheckContext& context);
Finding half_close_before_reading(CheckContext& context);
Finding half_close_late_reader(CheckContext& context);
Finding half_close_with_data(CheckContext& context);

}  // namespace echod::client
