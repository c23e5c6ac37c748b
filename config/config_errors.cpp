#include "config/config_errors.hpp"

#include <utility>

#include "config/toml_value.hpp"

namespace echod {

ConfigErrors::ConfigErrors(std::vector<std::string> lines, Position position)
    : std::runtime_error(joined(lines, "\n")), lines_(std::move(lines)), position_(position) {}

}  // namespace echod
