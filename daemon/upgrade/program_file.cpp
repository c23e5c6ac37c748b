#include "upgrade/program_file.hpp"

#include <system_error>
#include <utility>

#include "config/toml_value.hpp"

namespace echod {

namespace {

// Through /proc, not through the path: there may be another file at the path by now.
std::optional<sys::FileVersion> version_of_running_program() {
  try {
    return sys::version_of(sys::kRunningProgram);
  } catch (const std::system_error&) {
    return std::nullopt;  // A changed program is not noticed.
  }
}

}  // namespace

ProgramFile ProgramFile::running(std::span<char* const> arguments) {
  return {sys::path_of_running_program(),
          std::vector<std::string>(arguments.begin(), arguments.end()),
          version_of_running_program()};
}

ProgramFile::ProgramFile(std::string path, std::vector<std::string> arguments)
    : ProgramFile(path, std::move(arguments), sys::version_of(path)) {}

ProgramFile::ProgramFile(std::string path, std::vector<std::string> arguments,
                         std::optional<sys::FileVersion> version)
    : path_(std::move(path)), arguments_(std::move(arguments)), version_(version) {}

std::string ProgramFile::change() const {
  if (path_.empty() || !version_) {
    return {};
  }
  if (sys::version_of(path_) != version_) {
    return shown_name(path_) + " has changed";
  }
  const std::string library = sys::deleted_code_file();
  return library.empty() ? "" : "the library " + shown_name(library) + " was replaced";
}

}  // namespace echod
