#include "config/config_errors.hpp"

#include <utility>

namespace echod {

namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

}  // namespace

ConfigErrors::ConfigErrors(std::vector<std::string> lines, Begin begin)
    : std::runtime_error(joined(lines)), lines_(std::move(lines)), begin_(begin) {}

}  // namespace echod
