#include "config/unit_directory.hpp"

#include <cstdlib>

namespace echod {

std::string unit_directory(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  const std::string directories = value != nullptr ? value : "";
  return directories.substr(0, directories.find(':'));
}

std::string in_runtime_directory(const std::string& path) {
  if (path.empty() || path.front() == '/') {
    return path;
  }
  const std::string directory = unit_directory("RUNTIME_DIRECTORY");
  return directory.empty() ? "" : directory + '/' + path;
}

}  // namespace echod
