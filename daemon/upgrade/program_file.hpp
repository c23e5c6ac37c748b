// The program that an upgrade runs: the path and the arguments with which this process was started,
// and whether there is something new at that path.
//
// An upgrade runs the file at the path. /proc/self/exe would run the old file again, even after it
// was replaced.
//
// Thread-safety: no member changes the object, so any thread may call them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sys/running_program.hpp"

namespace echod {

class ProgramFile {
 public:
  // Remembers the program of this process. `arguments` are those of main(), with the name of the
  // program. The path is "" if /proc cannot be read: then nothing ever counts as changed, and a
  // check refuses. Blocks on /proc. Throws std::bad_alloc.
  [[nodiscard]] static ProgramFile running(std::span<char* const> arguments);
  // A program at `path` in its present version. Blocks on the disk. Throws std::bad_alloc.
  ProgramFile(std::string path, std::vector<std::string> arguments);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  // What has changed since the program was started, as words for a log line: "/usr/sbin/echod has
  // changed", "the library /usr/lib/libspdlog.so.1 was replaced". Returns "" if nothing has
  // changed. A file that is gone counts as changed. Blocks on the disk. Throws std::system_error if
  // a file cannot be examined, std::bad_alloc.
  [[nodiscard]] std::string change() const;

 private:
  ProgramFile(std::string path, std::vector<std::string> arguments,
              std::optional<sys::FileVersion> version);

  std::string path_;
  std::vector<std::string> arguments_;
  std::optional<sys::FileVersion> version_;  // Nothing if it could not be examined.
};

}  // namespace echod
