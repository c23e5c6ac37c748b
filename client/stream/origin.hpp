// Where bytes come from that are not those that were expected, and so what went wrong.
// Thread-safety: functions without state. Slow: for the moment after something went wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "keyed_stream.hpp"

namespace echod::client {

// A place in the stream of a connection (keyed_stream.hpp).
struct Origin {
  std::uint32_t connection = 0;
  // Modulo KeyedStream::kRepeatBytes.
  std::uint64_t offset = 0;

  bool operator==(const Origin&) const noexcept = default;
};

// Fewer bytes in a row than this do not tell.
inline constexpr std::size_t kTellingBytes = KeyedStream::kKeyBytes;

// The place that `bytes` are from, among `connections` streams; nothing if they are from none, or
// too few. Looks at the first 12 of them at most. Wrong with a chance of less than one in a million
// at kTellingBytes and ten million connections, and of nothing to speak of with one byte more.
[[nodiscard]] std::optional<Origin> origin_of(std::span<const std::byte> bytes,
                                              std::uint32_t connections);

enum class FaultKind : std::uint8_t {
  corrupted,    // Bytes that nobody sent.
  lost,         // Bytes are missing; what follows them came.
  duplicated,   // Bytes that had come already came again.
  reordered,    // Later bytes came before earlier ones.
  crossed,      // Bytes of another connection.
  unsolicited,  // More bytes than were sent.
};
inline constexpr std::size_t kFaultKinds = 6;

// As it is called in reports: "lost", "duplicated", ...
[[nodiscard]] std::string_view name_of(FaultKind kind) noexcept;

// What was received from the first wrong byte on.
struct Evidence {
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;          // Of the first wrong byte in what was received.
  std::uint64_t sent = 0;            // Bytes that the connection had sent.
  std::span<const std::byte> bytes;  // Received at `offset` and after; not empty.
};

struct Fault {
  FaultKind kind = FaultKind::corrupted;
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;
  std::optional<std::byte> expected;  // None beyond what was sent.
  std::byte got{};
  std::uint64_t bytes = 0;       // How many are corrupted (at least), lost, repeated, early, extra.
  std::optional<Origin> origin;  // Where the wrong bytes are from, if they tell.
};

// `connections`: how many streams there are. A stream repeats itself, so bytes are taken to be from
// the nearest place that they may be from: a loss of more than half of kRepeatBytes looks like a
// duplicate.
[[nodiscard]] Fault identify(const Evidence& evidence, std::uint32_t connections);

// "connection 3, offset 4096: 64 bytes lost (expected 0x1f, got 0xa0)"
[[nodiscard]] std::string text_of(const Fault& fault);

}  // namespace echod::client
