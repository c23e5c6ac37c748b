// What is wrong with a configuration: every error found, one line each.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace echod {

// Thrown while a configuration is read; holds at least one line, each
// "file:line:column: key: what is wrong, what is allowed" (without a position where there is none).
class ConfigErrors : public std::runtime_error {
 public:
  explicit ConfigErrors(std::vector<std::string> lines);

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace echod
