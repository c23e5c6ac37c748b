#include "text/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace echod {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr unsigned kPayloadBits = 6;  // Of a continuation byte.

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(text[at]);
}

// The number of bytes of a character that begins with `first`; 0 if none does.
std::size_t length_of(std::uint8_t first) noexcept {
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xC2 || first > 0xF4) {
    return 0;
  }
  return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

// What the second byte may be. It excludes overlong forms, surrogates and what is above U+10FFFF.
bool is_second(std::uint8_t first, std::uint8_t second) noexcept {
  const std::uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

struct Sequence {
  std::size_t bytes = 1;
  bool is_valid = false;
};

// The character at the beginning of `text`, or the bytes of it that are there.
Sequence first_sequence(std::string_view text) noexcept {
  const std::uint8_t first = byte_at(text, 0);
  const std::size_t length = length_of(first);
  for (std::size_t i = 1; i < length; ++i) {
    const bool is_good = i < text.size() && (i == 1 ? is_second(first, byte_at(text, i))
                                                    : (byte_at(text, i) & 0xC0U) == 0x80);
    if (!is_good) {
      return {.bytes = i, .is_valid = false};
    }
  }
  return {.bytes = std::max<std::size_t>(length, 1), .is_valid = length > 0};
}

// The code point of a valid sequence.
std::uint32_t character_of(std::string_view sequence) noexcept {
  const std::uint8_t first = byte_at(sequence, 0);
  std::uint32_t code = sequence.size() == 1 ? first : first & (0x7FU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    code = (code << kPayloadBits) | (byte_at(sequence, i) & 0x3FU);
  }
  return code;
}

bool is_printable(std::uint32_t code) noexcept {
  const bool is_white_space = code == '\t' || code == '\n' || code == '\r';
  const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  return is_white_space || (!is_control && code != 0xFFFE && code != 0xFFFF);
}

}  // namespace

std::string printable_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Sequence sequence = first_sequence(text);
    const std::string_view bytes = text.substr(0, sequence.bytes);
    result += sequence.is_valid && is_printable(character_of(bytes)) ? bytes : kReplacement;
    text.remove_prefix(sequence.bytes);
  }
  return result;
}

}  // namespace echod
