// The bytes that a connection sends and expects back: its own stream (keyed_stream.hpp) or a given
// text.
// Thread-safety: a value type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "client/stream/keyed_stream.hpp"
#include "client/stream/origin.hpp"

namespace echod::client {

class Payload {
 public:
  // The stream of connection number `connection`, or `text` if given.
  explicit Payload(std::uint32_t connection, std::optional<std::string> text = std::nullopt,
                   std::uint32_t seed = 0)
      : stream_(connection, seed), seed_(seed), text_(std::move(text)) {}

  // Writes the bytes from `offset` on. A text must be long enough.
  void fill(std::span<std::byte> out, std::uint64_t offset) const;
  // Returns how many leading bytes of `bytes` equal the payload from `offset` on.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           std::uint64_t offset) const;
  // Describes a mismatch in one line that names the connection. `connections` is how many streams
  // may have been sent.
  [[nodiscard]] std::string fault_text(const Evidence& evidence, std::uint32_t connections) const;

 private:
  [[nodiscard]] std::span<const std::byte> text_from(std::uint64_t offset) const;

  KeyedStream stream_;
  std::uint32_t seed_;
  std::optional<std::string> text_;
};

}  // namespace echod::client
