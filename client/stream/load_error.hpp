// What can go wrong with a connection of a load run, or with a UDP socket.
// Thread-safety: stateless functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace echod::client {

enum class LoadError : std::uint8_t {
  // The server sent wrong bytes or too few. identify() (origin.hpp) finds out the first six.
  corrupted,    // Bytes were changed, or come from no known stream.
  lost,         // Bytes are missing; later bytes arrived.
  duplicated,   // Bytes arrived a second time.
  reordered,    // Later bytes arrived before earlier ones.
  crossed,      // Bytes of another connection arrived, perhaps of another run.
  unsolicited,  // Extra bytes arrived, in the middle or after the last.
  truncated,    // End of file after our half-close, but bytes are missing.

  // The connection failed.
  closed_early,     // End of file before our half-close.
  reset,            // RST, or another error of an established connection.
  stalled,          // Bytes are owed, but none arrived within the timeout.
  no_end,           // No end of file within the timeout after our half-close.
  abandoned,        // The run ended while bytes were owed.
  refused,          // Connection refused: no server listens on the port.
  connect_timeout,  // Not connected within the timeout.
  no_local_port,    // All local ports of the source addresses are in use.
  to_itself,        // The socket connected to itself, because no server listens on the port.
  connect_failed,   // Not connected for another reason.
};
inline constexpr std::size_t kLoadErrors = static_cast<std::size_t>(LoadError::connect_failed) + 1;

// The name in reports: "lost", "connect_timeout", ...
[[nodiscard]] std::string_view name_of(LoadError error) noexcept;
// Whether the server sent wrong bytes or too few.
[[nodiscard]] bool is_mismatch(LoadError error) noexcept;

}  // namespace echod::client
