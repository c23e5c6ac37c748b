// The exception for a bad configuration: all errors found in it, one line each.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace echod {

// Has at least one line. An error in the contents of a file is "file:line:column: key: what is
// wrong; what to use". An error about a whole file or an option has no position.
class ConfigErrors : public std::runtime_error {
 public:
  enum class Begin : std::uint8_t { position, words };

  explicit ConfigErrors(std::vector<std::string> lines, Begin begin);

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  // Whether the lines begin with "file:line:column:". Print such lines without a prefix, so that
  // editors find the position.
  [[nodiscard]] bool begin_with_positions() const noexcept { return begin_ == Begin::position; }

 private:
  std::vector<std::string> lines_;
  Begin begin_;
};

}  // namespace echod
