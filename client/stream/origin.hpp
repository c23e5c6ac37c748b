// Finds out where unexpected bytes come from, and so what the server did wrong.
// Thread-safety: stateless functions. Slow: meant to run once, after an error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "client/stream/keyed_stream.hpp"
#include "client/stream/load_error.hpp"

namespace echod::client {

// A position in the stream of a connection (keyed_stream.hpp).
struct Origin {
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;

  bool operator==(const Origin&) const noexcept = default;
};

// Fewer bytes in a row than this never identify a stream.
inline constexpr std::size_t kMinIdentifyingBytes = KeyedStream::kKeyBytes;

// The streams that bytes may come from.
struct CandidateStreams {
  std::uint32_t connections = 1;
  std::uint32_t seed = 0;
  std::uint64_t longest = 0;  // Bytes that the longest stream has sent, roughly.
};

// How many bytes in a row identify one of `streams`, with a chance of 1 in 10^9 of a false match.
// kMinIdentifyingBytes for up to 63 streams of up to 255 MiB; 12 for a million streams of 1 TiB.
[[nodiscard]] std::size_t identifying_bytes(const CandidateStreams& streams) noexcept;
// Returns where the first identifying_bytes() of `bytes` come from. Empty if they come from none of
// `streams`, are too few, or cross the end of an epoch.
[[nodiscard]] std::optional<Origin> origin_of(std::span<const std::byte> bytes,
                                              const CandidateStreams& streams);

// What a connection received, from the first wrong byte on.
struct Evidence {
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;          // Offset of the first wrong byte in the received bytes.
  std::uint64_t sent = 0;            // Bytes that the connection had sent.
  std::span<const std::byte> bytes;  // The bytes received from `offset` on; not empty.
};

// How many bytes from the first wrong one on are kept, and how long to wait for them.
inline constexpr std::size_t kEvidenceBytes = 4096;
inline constexpr std::chrono::milliseconds kEvidenceTime{200};
// How many bytes of evidence to wait for when `owed` bytes are still to come: `owed`, but at most
// kEvidenceBytes. If none are owed, the number of extra bytes is unknown: kEvidenceBytes.
[[nodiscard]] std::size_t evidence_bytes_needed(std::uint64_t owed) noexcept;

struct Fault {
  LoadError error = LoadError::corrupted;
  std::uint32_t connection = 0;
  std::uint64_t offset = 0;
  std::optional<std::byte> expected;  // Empty if `offset` is beyond what was sent.
  std::byte got{};
  // A number of bytes:
  //   corrupted    from the first wrong byte to the last one in the evidence
  //   lost         missing
  //   duplicated   the distance back to where the bytes first arrived
  //   reordered    the distance ahead to where the bytes belong
  //   crossed      the size of the evidence
  //   unsolicited  extra; if nothing expected follows, the size of the evidence
  std::uint64_t bytes = 0;
  std::optional<Origin> origin;  // Where the wrong bytes come from, if from this run.
};

// Names the fault that `evidence` shows. With too few bytes to identify a stream, the fault is
// `corrupted`, or `unsolicited` if it is beyond what was sent.
[[nodiscard]] Fault identify(const Evidence& evidence, std::uint32_t connections,
                             std::uint32_t seed = 0);

// "connection 3, offset 4096: 64 bytes lost (expected 0x1f, got 0xa0)"
[[nodiscard]] std::string text_of(const Fault& fault);

}  // namespace echod::client
