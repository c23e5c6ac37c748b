// What is wrong with a configuration: every error found, one line each.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace echod {

// Thrown while a configuration is read; holds at least one line. Those about what a file holds are
// "file:line:column: key: what is wrong, what is allowed"; others have no position.
class ConfigErrors : public std::runtime_error {
 public:
  enum class Begin : std::uint8_t { position, words };

  explicit ConfigErrors(std::vector<std::string> lines, Begin begin);

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  // Whether the lines begin with a position, which editors jump to if nothing stands before it.
  [[nodiscard]] bool begin_with_positions() const noexcept { return begin_ == Begin::position; }

 private:
  std::vector<std::string> lines_;
  Begin begin_;
};

}  // namespace echod
