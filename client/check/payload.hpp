// What a connection sends, and so what must come back: a stream of its own (keyed_stream.hpp), or a
// text for what a stream hardly contains.
// Thread-safety: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "keyed_stream.hpp"
#include "origin.hpp"

namespace echod::client {

class Payload {
 public:
  // Of a connection by its number; its stream if there is no `text`.
  explicit Payload(std::uint32_t connection, std::optional<std::string> text = std::nullopt,
                   std::uint32_t seed = 0)
      : stream_(connection, seed), seed_(seed), text_(std::move(text)) {}

  // Writes the bytes from `offset` on; a text must have so many.
  void fill(std::span<std::byte> out, std::uint64_t offset) const;
  // How many of `bytes` are what there is from `offset` on, up to the first that is not.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           std::uint64_t offset) const;
  // What is wrong with bytes that do not match, in a line that names the connection; `connections`
  // have streams.
  [[nodiscard]] std::string fault_text(const Evidence& evidence, std::uint32_t connections) const;

 private:
  [[nodiscard]] std::span<const std::byte> text_from(std::uint64_t offset) const;

  KeyedStream stream_;
  std::uint32_t seed_;
  std::optional<std::string> text_;
};

}  // namespace echod::client
