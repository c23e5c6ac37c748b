// Runs a fuzz target over all files of directories, so that every input that once failed is tested
// again. The arguments are the directories; each must contain files.
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <span>

#include "fuzz_target.hpp"

namespace echod::test {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  require(file.good() || file.eof(), "the file can be read", path.native());
  return content;
}

// Runs all files of a directory. Prints each name before it runs the file, so that the last name is
// that of the failing input.
std::size_t replay(const std::filesystem::path& directory) {
  const std::filesystem::directory_iterator entries(directory);
  const std::set<std::filesystem::path> files(begin(entries), end(entries));
  for (const std::filesystem::path& file : files) {
    (void)std::printf("%s\n", file.c_str());
    (void)std::fflush(stdout);
    const std::string content = content_of(file);
    // The buffer has exactly the size of the input, so that a sanitizer finds reads beyond its end.
    const std::vector<std::uint8_t> bytes(content.begin(), content.end());
    (void)LLVMFuzzerTestOneInput(bytes.data(), bytes.size());  // Always returns 0.
  }
  return files.size();
}

}  // namespace
}  // namespace echod::test

int main(int argc, char** argv) {
  try {
    bool is_any_empty = argc < 2;
    for (const char* directory : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
      const std::size_t inputs = echod::test::replay(directory);
      (void)std::printf("%zu inputs from %s\n", inputs, directory);
      is_any_empty = is_any_empty || inputs == 0;
    }
    return is_any_empty ? EXIT_FAILURE : EXIT_SUCCESS;
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
