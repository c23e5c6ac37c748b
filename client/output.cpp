#include "client/output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "client/exit_codes.hpp"
#include "client/text/figures.hpp"
#include "sys/shared_stream.hpp"

namespace echod::client {

namespace {

constexpr int kFlags = O_WRONLY | O_NOCTTY | O_CLOEXEC;
constexpr mode_t kMode = 0666;  // The umask is subtracted.

// Creates a file with the mode of the open file `mode_of`. Fails if the name exists.
sys::UniqueFd make(const std::string& name, int mode_of) {
  auto fd = sys::UniqueFd::adopt(open(name.c_str(), kFlags | O_CREAT | O_EXCL, kMode));
  struct stat status {};
  if (fd.is_open() && fstat(mode_of, &status) == 0) {
    (void)fchmod(fd.get(), status.st_mode);  // On failure it keeps the mode of a new file.
  }
  return fd;
}

// The absolute name of a file, with symbolic links followed. The file need not exist.
std::filesystem::path without_links(const std::filesystem::path& name) {
  std::error_code error;
  std::filesystem::path existing = std::filesystem::canonical(name, error);
  if (!error) {
    return existing;
  }
  if (error != std::errc::no_such_file_or_directory) {
    return name;  // For example, links form a loop. Opening the file reports the error.
  }
  const std::filesystem::path next = std::filesystem::read_symlink(name, error);
  if (!error) {
    return without_links(name.parent_path() / next);
  }
  const std::filesystem::path parent = name.has_parent_path() ? name.parent_path() : ".";
  const std::filesystem::path directory = std::filesystem::canonical(parent, error);
  return error ? name : directory / name.filename();
}

// Whether `name` is a name of an open file, such as /dev/fd/3.
bool is_name_of_descriptor(const std::filesystem::path& name) {
  std::error_code error;  // On failure the name is empty.
  return std::filesystem::canonical(name.parent_path(), error).string().starts_with("/proc/");
}

}  // namespace

std::optional<std::string> regular_file(const std::string& name) {
  struct stat status {};
  const bool exists = stat(name.c_str(), &status) == 0;
  const bool is_regular =
      exists ? S_ISREG(status.st_mode) && !is_name_of_descriptor(name) : errno == ENOENT;
  if (!is_regular) {
    return std::nullopt;
  }
  return without_links(name).string();
}

bool is_name_of_standard_output(const std::string& name) {
  struct stat named {};
  struct stat standard {};
  return name == "-" || (stat(name.c_str(), &named) == 0 && fstat(STDOUT_FILENO, &standard) == 0 &&
                         named.st_dev == standard.st_dev && named.st_ino == standard.st_ino);
}

void require_written(int error, const std::string& name) {
  if (error != 0) {
    throw FatalError(ExitCode::system, "cannot write " + name + ": " + errno_text(error));
  }
}

sys::UniqueFd open_output(const std::string& name, int flags) {
  auto fd = sys::UniqueFd::adopt(open(name.c_str(), kFlags | flags, kMode));
  require_written(fd.is_open() ? 0 : errno, name);
  return fd;
}

Output::Output(const std::string& name)
    : name_(name), is_standard_output_(is_name_of_standard_output(name)) {
  if (is_standard_output_) {
    return;
  }
  const std::optional<std::string> file = regular_file(name_);
  fd_ = sys::UniqueFd::adopt(open(name_.c_str(), kFlags));
  const bool is_new = !fd_.is_open() && errno == ENOENT && file;
  require_written(fd_.is_open() || is_new ? 0 : errno, name_);
  if (file) {
    file_ = *file;
    temporary_ = file_ + '.' + std::to_string(getpid()) + ".tmp";
    is_replaced_ = make(temporary_, fd_.get()).is_open();
    require_written(!is_new || is_replaced_ ? 0 : errno, name_);
    (void)unlink(temporary_.c_str());  // Created again at the end: a killed run leaves none.
  }
}

void Output::write(const std::string& text) const {
  if (is_standard_output_) {
    write_to_stdout(text);
  } else {
    require_written(is_replaced_ ? replace(text) : write_in_place(text), name_);
  }
}

int Output::replace(const std::string& text) const {
  const sys::UniqueFd fd = make(temporary_, fd_.get());
  int error = fd.is_open() ? sys::write_waiting(fd.get(), text).error() : errno;
  if (error == 0 && rename(temporary_.c_str(), file_.c_str()) == 0) {
    return 0;
  }
  error = error == 0 ? errno : error;
  (void)unlink(temporary_.c_str());
  const bool is_mount_point = error == EBUSY && fd_.is_open();
  return is_mount_point ? write_in_place(text) : error;
}

int Output::write_in_place(const std::string& text) const {
  (void)sys::IoResult::of(ftruncate(fd_.get(), 0));  // Fails for a FIFO, which is not truncated.
  return sys::write_waiting(fd_.get(), text).error();
}

void write_all(std::vector<PendingWrite> writes) {
  std::stable_partition(writes.begin(), writes.end(),
                        [](const PendingWrite& one) { return !one.may_wait; });
  std::string errors;
  for (const PendingWrite& pending : writes) {
    try {
      pending.write();
    } catch (const FatalError& error) {
      errors += (errors.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  if (!errors.empty()) {
    throw FatalError(ExitCode::system, errors);
  }
}

void write_to_stdout(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw FatalError(ExitCode::system, "cannot write to standard output: " + errno_text(errno));
  }
}

}  // namespace echod::client
