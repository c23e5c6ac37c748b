// The files that this process runs: its program and its libraries.
//
// Thread-safety: no shared state. Blocks on the disk and on /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace echod::sys {

inline constexpr const char* kRunningProgram = "/proc/self/exe";

// The absolute path at which this process found its program. The file may have been deleted or
// replaced since. Returns "" if /proc cannot be read. Throws std::bad_alloc.
[[nodiscard]] std::string path_of_running_program();

// Two files with equal values have the same content, unless the modification time was set by hand
// (touch(1)).
struct FileVersion {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t modified_ns = 0;

  bool operator==(const FileVersion&) const = default;
};

// Returns nothing if the file does not exist. Follows links. Throws std::system_error if the file
// cannot be examined.
[[nodiscard]] std::optional<FileVersion> version_of(const std::string& path);

// The path of a file whose code this process runs but which is deleted or replaced by another file,
// such as an updated library. Returns "" if there is none, or if /proc is not mounted. Throws
// std::system_error if /proc/self/maps exists and cannot be read, std::bad_alloc.
[[nodiscard]] std::string deleted_code_file();

// The same for the text of a /proc/PID/maps, proc_pid_maps(5).
[[nodiscard]] std::string_view deleted_code_file_in(std::string_view maps) noexcept;

}  // namespace echod::sys
