#include "service/config_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "config/config_file.hpp"
#include "config/toml_value.hpp"
#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

namespace echod {

namespace {

// Larger than any configuration. Without the limit /dev/zero would fill the memory.
constexpr std::size_t kMaxFileBytes = std::size_t{1024} * 1024;

// Not left to toml++, which reads a directory as an empty file and does not report why a file
// cannot be opened.
std::string read_file(const std::string& path, Reading reading) {
  const auto refuse = [&path](const std::string& why) -> ConfigErrors {
    return ConfigErrors({shown_name(path) + ": " + why}, ConfigErrors::Position::none);
  };
  const auto unreadable = [&refuse, &path](int error) {
    const bool dangles = error == ENOENT && name_exists(path);
    return refuse("cannot be read: " + std::generic_category().message(error) +
                  (dangles ? "; it is a dangling symbolic link" : ""));
  };
  // O_NONBLOCK: opening a FIFO without a writer would block a reload.
  const int non_blocking = reading == Reading::at_every_reload ? O_NONBLOCK : 0;
  const sys::IoResult opened = sys::retry_on_eintr(
      [&] { return sys::calls::open(path.c_str(), O_RDONLY | O_CLOEXEC | non_blocking, 0); });
  if (!opened.ok()) {
    throw unreadable(opened.error());
  }
  const auto fd = sys::UniqueFd::adopt(static_cast<int>(opened.count()));
  struct stat status {};
  if (sys::calls::fstat(fd.get(), &status) != 0) {
    throw unreadable(errno);
  }
  if (S_ISFIFO(status.st_mode) && reading == Reading::at_every_reload) {
    throw refuse("is a pipe; use a regular file, because every reload reads it again");
  }
  std::string text;
  std::array<char, 16384> block{};
  while (true) {
    const sys::IoResult read =
        sys::retry_on_eintr([&] { return sys::calls::read(fd.get(), block.data(), block.size()); });
    if (!read.ok()) {
      throw unreadable(read.error());
    }
    if (read.count() == 0) {
      return text;
    }
    text.append(block.data(), read.count());
    if (text.size() > kMaxFileBytes) {
      throw refuse("is larger than 1 MiB");
    }
  }
}

}  // namespace

bool name_exists(const std::string& path) {
  std::error_code error;
  (void)std::filesystem::symlink_status(path, error);  // Only the error matters.
  return error != std::errc::no_such_file_or_directory;
}

Config load_config_file(const std::string& path, Reading reading) {
  return parse_config(read_file(path, reading), path);
}

std::optional<std::string> config_file_in_use(const CommandLine& options) {
  if (options.config_file) {
    return options.config_file;
  }
  return name_exists(kDefaultConfigFile) ? std::optional<std::string>(kDefaultConfigFile)
                                         : std::nullopt;
}

Config effective_config(const CommandLine& options) {
  const auto file = config_file_in_use(options);
  const bool is_check = options.check_config || options.dump_config;
  const Reading reading = is_check ? Reading::once : Reading::at_every_reload;
  Config config = file ? load_config_file(*file, reading) : Config{};
  override_config(config, options);
  return config;
}

}  // namespace echod
