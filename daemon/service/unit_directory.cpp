#include "service/unit_directory.hpp"

#include <cstdlib>

namespace echod {

std::string unit_directory(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  const std::string directories = value != nullptr ? value : "";
  return directories.substr(0, directories.find(':'));
}

}  // namespace echod
