#include "sys/running_program.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "sys/retry_on_eintr.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

namespace {

// What the kernel appends to the path of a file that is not at its path any more, proc(5).
constexpr std::string_view kDeleted = " (deleted)";

[[noreturn]] void fail(const char* call, const std::string& path, int error) {
  throw std::system_error(error, std::system_category(), call + (' ' + path));
}

// Returns no descriptor if there is no such file.
UniqueFd opened(const std::string& path, int flags) {
  const IoResult result =
      retry_on_eintr([&] { return calls::open(path.c_str(), flags | O_CLOEXEC, mode_t{0}); });
  if (!result.ok() && result.error() != ENOENT && result.error() != ENOTDIR) {
    fail("open", path, result.error());
  }
  return UniqueFd::adopt(result.ok() ? static_cast<int>(result.count()) : -1);
}

}  // namespace

std::string path_of_running_program() {
  std::error_code error;
  std::string path = std::filesystem::read_symlink(kRunningProgram, error).string();
  if (path.ends_with(kDeleted) && !std::filesystem::exists(path, error)) {
    path.resize(path.size() - kDeleted.size());
  }
  return path;
}

std::optional<FileVersion> version_of(const std::string& path) {
  const UniqueFd file = opened(path, O_PATH);  // O_PATH: opening a FIFO does not block.
  if (!file.is_open()) {
    return std::nullopt;
  }
  struct stat status {};
  if (calls::fstat(file.get(), &status) != 0) {
    fail("fstat", path, errno);
  }
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return FileVersion{
      .device = status.st_dev,
      .inode = status.st_ino,
      .modified_ns = status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec,
  };
}

std::string deleted_code_file() {
  constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;
  const std::string path = "/proc/self/maps";
  const UniqueFd file = opened(path, O_RDONLY);
  std::string maps;
  for (std::size_t used = 0; file.is_open();) {
    maps.resize(used + kBlockBytes);
    const IoResult got = retry_on_eintr(
        [&] { return calls::read(file.get(), maps.data() + used, maps.size() - used); });
    if (!got.ok()) {
      fail("read", path, got.error());
    }
    used += got.count();
    if (got.count() == 0) {
      maps.resize(used);
      break;
    }
  }
  return std::string(deleted_code_file_in(maps));
}

std::string_view deleted_code_file_in(std::string_view maps) noexcept {
  // Memory without a file, which the kernel shows like a deleted file.
  constexpr std::array<std::string_view, 3> kMemory{"/memfd:", "/dev/zero", "/SYSV"};
  while (!maps.empty()) {
    // For example "7f12a000-7f13b000 r-xp 00004000 fd:01 1234    /usr/lib/libspdlog.so.1
    // (deleted)".
    const std::string_view line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(line.size() + 1, maps.size()));
    constexpr std::size_t kExecute = 3;  // Behind the space in front of "r-xp".
    const std::size_t access = line.find(' ');
    const std::size_t path_begin = line.find('/');
    if (path_begin == std::string_view::npos || access + kExecute >= path_begin ||
        line[access + kExecute] != 'x' || !line.ends_with(kDeleted)) {
      continue;
    }
    const std::string_view path =
        line.substr(path_begin, line.size() - path_begin - kDeleted.size());
    if (std::none_of(kMemory.begin(), kMemory.end(),
                     [path](std::string_view memory) { return path.starts_with(memory); })) {
      return path;
    }
  }
  return {};
}

}  // namespace echod::sys
