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
  enum class Position : std::uint8_t { given, none };

  explicit ConfigErrors(std::vector<std::string> lines, Position position);

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  // Whether the lines begin with "file:line:column:". Print such lines without a prefix, so that
  // editors find the position.
  [[nodiscard]] bool have_positions() const noexcept { return position_ == Position::given; }

 private:
  std::vector<std::string> lines_;
  Position position_;
};

}  // namespace echod
