// Where bytes come from that are not those that were expected, and so what went wrong.
// Thread-safety: functions without state. Slow: for the moment after something went wrong.
#pragma once

#include <chrono>
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
  std::uint64_t offset = 0;

  bool operator==(const Origin&) const noexcept = default;
};

// Fewer bytes in a row than this do not tell.
inline constexpr std::size_t kMinIdentifyingBytes = KeyedStream::kKeyBytes;

// The streams that bytes may be from.
struct CandidateStreams {
  std::uint32_t connections = 1;
  std::uint32_t seed = 0;
  std::uint64_t longest = 0;  // How much any of them has sent, roughly.
};

// How many bytes tell which of these streams they are from: wrongly once in a thousand million.
// kMinIdentifyingBytes for up to 63 streams of up to 255 MiB each, 12 for a million of a TiB.
[[nodiscard]] std::size_t identifying_bytes(const CandidateStreams& streams) noexcept;
// The place that `bytes` are from; nothing if they are from none of `streams`, or too few, or
// across the end of an epoch. Looks at the first identifying_bytes() of them.
[[nodiscard]] std::optional<Origin> origin_of(std::span<const std::byte> bytes,
                                              const CandidateStreams& streams);

enum class FaultKind : std::uint8_t {
  corrupted,    // Bytes that nobody sent.
  lost,         // Bytes are missing; what follows them came.
  duplicated,   // Bytes that had come already came again.
  reordered,    // Later bytes came before earlier ones.
  crossed,      // Bytes of another connection, perhaps of another run.
  unsolicited,  // More bytes than were sent: behind the last, or in between.
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

// How much of what follows a wrong byte is kept, and for how long it is waited for.
inline constexpr std::size_t kEvidenceBytes = 4096;
inline constexpr std::chrono::milliseconds kEvidenceTime{200};
// How many bytes tell all that can be known when `owed` are still to come: those, if there are any.
[[nodiscard]] std::size_t evidence_bytes_needed(std::uint64_t owed) noexcept;

struct Fault {
  FaultKind kind = FaultKind::corrupted;
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;
  std::optional<std::byte> expected;  // None beyond what was sent.
  std::byte got{};
  std::uint64_t bytes = 0;       // How many are corrupted (at least), lost, repeated, early, extra.
  std::optional<Origin> origin;  // Where the wrong bytes are from, if from this run.
};

// Too few bytes to tell are called corrupted.
[[nodiscard]] Fault identify(const Evidence& evidence, std::uint32_t connections,
                             std::uint32_t seed = 0);

// "connection 3, offset 4096: 64 bytes lost (expected 0x1f, got 0xa0)"
[[nodiscard]] std::string text_of(const Fault& fault);

}  // namespace echod::client
