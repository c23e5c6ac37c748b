// Copies of the programs that the tests of an upgrade start (upgrade_probe.cpp).
// Thread-safety: none.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "files.hpp"

namespace echod::test {

inline constexpr const char* kProbeLibrary = "libupgrade_probe_library.so";

// Copies the probe and its library to `directory`. Returns the path of the probe.
inline std::string copy_probe(const TemporaryDirectory& directory) {
  const std::filesystem::path built = std::filesystem::path(ECHOD_BUILD_DIR) / "tests";
  for (const std::string name : {"upgrade_probe", kProbeLibrary}) {
    std::filesystem::copy_file(built / name, directory.file(name));
  }
  return directory.file("upgrade_probe");
}

// Writes an executable script for /bin/sh. Returns its path.
inline std::string write_script(const TemporaryDirectory& directory, const std::string& text) {
  std::string path = directory.file("script");
  write_file(path, "#!/bin/sh\n" + text + '\n');
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

// Puts a copy of `path` in its place, as a package manager does: another file with the same name.
inline void replace_by_copy(const std::string& path) {
  std::filesystem::copy_file(path, path + ".new");
  std::filesystem::rename(path + ".new", path);
}

// A file in memory that stands for the state of a service.
class StateFile {
 public:
  explicit StateFile(const std::string& text = "state") {
    constexpr int kElsewhere = 20;  // Not the number that it has in a child.
    const int created = memfd_create("state", MFD_CLOEXEC);
    fd_ = fcntl(created, F_DUPFD_CLOEXEC, kElsewhere);
    (void)close(created);
    if (pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("cannot write to a memfd");
    }
  }
  ~StateFile() { (void)close(fd_); }
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace echod::test
