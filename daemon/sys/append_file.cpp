#include "append_file.hpp"

#include <fcntl.h>

#include <array>
#include <cstdint>
#include <cstdio>

namespace echod::sys {

IoResult AppendFile::open(const std::string& path) noexcept {
  constexpr mode_t kOwnerWritesGroupReads = 0640;
  // O_NONBLOCK: opening a FIFO that nobody reads fails instead of hanging; files ignore it.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
  int fd = -1;
  IoResult result = IoResult::failure(EINTR);
  while (result.error() == EINTR) {
    fd = calls::open(path.c_str(), kFlags, kOwnerWritesGroupReads);
    result = IoResult::of(fd);
  }
  fd_ = UniqueFd::adopt(fd);
  is_mid_line_ = false;
  return result;
}

IoResult AppendFile::write(std::string_view bytes) noexcept {
  const std::size_t total = bytes.size();
  if (is_mid_line_) {
    const IoResult ended = IoResult::of(calls::write(fd_.get(), "\n", 1));
    if (!ended.ok()) {
      return ended;
    }
    is_mid_line_ = false;
  }
  while (!bytes.empty()) {
    const IoResult written = IoResult::of(calls::write(fd_.get(), bytes.data(), bytes.size()));
    if (!written.ok() && written.error() != EINTR) {
      is_mid_line_ = bytes.size() < total;
      return written;
    }
    bytes.remove_prefix(written.count());
  }
  return IoResult::of(static_cast<ssize_t>(total));
}

bool is_journal_stream(int fd, std::string_view journal_stream) noexcept {
  struct stat status {};
  if (journal_stream.empty() || calls::fstat(fd, &status) != 0) {
    return false;
  }
  constexpr std::size_t kTwoNumbers = 48;
  std::array<char, kTwoNumbers> stream{};
  const int length = std::snprintf(stream.data(), stream.size(), "%ju:%ju",
                                   std::uintmax_t{status.st_dev}, std::uintmax_t{status.st_ino});
  return journal_stream == std::string_view(stream.data(), static_cast<std::size_t>(length));
}

}  // namespace echod::sys
