// Helpers of the fuzz targets. A target is a function that gets bytes and aborts if a property does
// not hold. CMakeLists.txt says how targets are run.
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

// The name and the signature that libFuzzer demands of a target. It always returns 0.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace echod::test {

// Aborts if a property does not hold, and prints `seen`, the text that it is about.
inline void require(bool holds, const char* property, std::string_view seen = {}) noexcept {
  if (holds) [[likely]] {
    return;
  }
  (void)std::fprintf(stderr, "does not hold: %s\n%.*s\n", property, static_cast<int>(seen.size()),
                     seen.data());
  std::abort();
}

// Returns whether the text has no control characters: ASCII ones, or U+0080 to U+009F.
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

// Reads an input from its front. After its end it returns zeros.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) noexcept
      : left_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool is_empty() const noexcept { return left_.empty(); }
  [[nodiscard]] std::uint8_t byte() noexcept {
    return static_cast<std::uint8_t>(take(1).empty() ? '\0' : last_.front());
  }
  // Returns the bytes up to the next NUL, and removes the NUL too.
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

// Requires the format of a usage error: one line that names the program and ends in a pointer to
// --help.
inline void require_usage_error(std::string_view text, const std::string& program) noexcept {
  const std::string end = "; see " + program + " --help\n";
  require(text.starts_with(program + ": ") && text.ends_with(end),
          "a usage error names program and help", text);
  require(is_one_line(text.substr(0, text.size() - 1)), "a usage error is one line", text);
}

}  // namespace echod::test
