// An endless sequence of bytes. Each byte depends only on a seed and its position, so any slice can
// be generated and checked without storing it. Lost, repeated, moved and foreign bytes are found.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace echod::test {

class Pattern {
 public:
  explicit Pattern(std::uint64_t seed) : seed_(seed) {}

  // Fills `bytes` with the sequence from `position` on.
  void fill(std::span<char> bytes, std::uint64_t position) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::uint64_t word = word_at((position + done) / kWord);
      const std::size_t offset = (position + done) % kWord;
      const std::size_t count = std::min(kWord - offset, bytes.size() - done);
      std::memcpy(bytes.data() + done, reinterpret_cast<const char*>(&word) + offset, count);
      done += count;
    }
  }

  // Compares `bytes` with the sequence from `position` on. Returns the index of the first wrong
  // byte.
  [[nodiscard]] std::optional<std::size_t> first_difference(std::span<const char> bytes,
                                                            std::uint64_t position) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::uint64_t word = word_at((position + done) / kWord);
      const std::size_t offset = (position + done) % kWord;
      const std::size_t count = std::min(kWord - offset, bytes.size() - done);
      const char* const expected = reinterpret_cast<const char*>(&word) + offset;
      if (std::memcmp(bytes.data() + done, expected, count) != 0) {
        while (bytes[done] == expected[(position + done) % kWord - offset]) {
          ++done;
        }
        return done;
      }
      done += count;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string slice(std::uint64_t position, std::size_t length) const {
    std::string bytes(length, '\0');
    fill(bytes, position);
    return bytes;
  }

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);

  // splitmix64.
  [[nodiscard]] std::uint64_t word_at(std::uint64_t index) const {
    std::uint64_t z = seed_ + (index + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  std::uint64_t seed_;
};

}  // namespace echod::test
