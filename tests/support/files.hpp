// Files of a test. Tests run at the same time, so a test that writes files uses its own directory.
// Thread-safety: none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace echod::test {

// A temporary directory. The destructor removes it with all its files.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

void write_file(const std::string& path, const std::string& text);
// Returns "" if the file does not exist.
[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

}  // namespace echod::test
