// What the fuzz targets share. A target is a function over bytes that aborts when a property does
// not hold; CMakeLists.txt says how it is run.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// libFuzzer's name for a target, and its signature; it always returns 0.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace echod::test {

// Ends the process if a property does not hold; `seen` is the text that it is about.
inline void require(bool holds, const char* property, std::string_view seen = {}) noexcept {
  if (holds) [[likely]] {
    return;
  }
  (void)std::fprintf(stderr, "does not hold: %s\n%.*s\n", property, static_cast<int>(seen.size()),
                     seen.data());
  std::abort();
}

// Nothing in it moves a terminal's cursor: no control character, of ASCII or of U+0080 to U+009F.
[[nodiscard]] inline bool is_one_line(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : '\0';
    const bool is_c1 = byte == 0xC2 && next >= 0x80 && next < 0xA0;
    if (byte < ' ' || byte == 0x7F || is_c1) {
      return false;
    }
  }
  return true;
}

// The bytes of an input, taken from the front. When they are spent there are zeros.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) noexcept
      : left_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool is_empty() const noexcept { return left_.empty(); }
  [[nodiscard]] std::uint8_t byte() noexcept {
    return static_cast<std::uint8_t>(take(1).empty() ? '\0' : last_.front());
  }
  // Up to the next NUL, which is removed too.
  [[nodiscard]] std::string field() {
    std::string text(take(left_.find('\0')));
    (void)take(1);
    return text;
  }
  [[nodiscard]] std::string rest() { return std::string(take(left_.size())); }

 private:
  std::string_view take(std::size_t most) noexcept {
    last_ = left_.substr(0, most);
    left_.remove_prefix(last_.size());
    return last_;
  }

  std::string_view left_;
  std::string_view last_;
};

// A command line: the program's name, then the fields of the input.
class FuzzArguments {
 public:
  FuzzArguments(std::string program, FuzzInput input) : words_{std::move(program)} {
    constexpr std::size_t kMost = 64;
    while (!input.is_empty() && words_.size() < kMost) {
      words_.push_back(input.field());
    }
    for (const std::string& word : words_) {
      pointers_.push_back(word.c_str());
    }
    pointers_.push_back(nullptr);
  }

  [[nodiscard]] int count() const noexcept { return static_cast<int>(words_.size()); }
  [[nodiscard]] const char* const* pointers() const noexcept { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<const char*> pointers_;
};

// A message of a program that refuses its command line: a line of its own, with where help is.
inline void require_usage_error(std::string_view text, const std::string& program) noexcept {
  const std::string end = "; see " + program + " --help\n";
  require(text.starts_with(program + ": ") && text.ends_with(end),
          "a usage error names program and help", text);
  require(is_one_line(text.substr(0, text.size() - 1)), "a usage error is one line", text);
}

}  // namespace echod::test
