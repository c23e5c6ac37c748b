#include "sys/append_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "sys/retry_on_eintr.hpp"
#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

UniqueFd owner_of(IoResult opened) noexcept {
  return UniqueFd::adopt(opened.ok() ? static_cast<int>(opened.count()) : -1);
}

// Whether only root and the user of this process can create a link in `directory`.
bool is_private(const struct stat& directory) noexcept {
  return (directory.st_uid == 0 || directory.st_uid == ::geteuid()) &&
         (directory.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool has_another_name(int file) noexcept {
  struct stat status {};
  return calls::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 1;
}

}  // namespace

IoResult AppendFile::open(const std::string& path) noexcept {
  constexpr mode_t kOwnerWritesGroupReads = 0640;
  // O_NONBLOCK: opening a FIFO without a reader fails instead of blocking; files ignore the flag.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const std::size_t name = path.rfind('/') + 1;  // 0 without a slash.
  std::array<char, PATH_MAX> directory{"."};
  if (name >= directory.size()) {
    return IoResult::failure(ENAMETOOLONG);
  }
  path.copy(directory.data(), name);
  const IoResult found = retry_on_eintr([&directory] {
    return calls::open(directory.data(), O_PATH | O_DIRECTORY | O_CLOEXEC, mode_t{0});
  });
  const UniqueFd folder = owner_of(found);
  struct stat status {};
  if (!found.ok() || calls::fstat(folder.get(), &status) != 0) {
    return found.ok() ? IoResult::of(-1) : found;
  }
  const bool may_be_link = is_private(status);
  const IoResult opened = retry_on_eintr([&] {
    return calls::openat(folder.get(), path.c_str() + name, kFlags | (may_be_link ? 0 : O_NOFOLLOW),
                         kOwnerWritesGroupReads);
  });
  UniqueFd file = owner_of(opened);
  if (!may_be_link &&
      (opened.error() == ELOOP || (file.is_open() && has_another_name(file.get())))) {
    return IoResult::failure(EMLINK);
  }
  if (opened.ok()) {
    fd_ = std::move(file);
    written_ = 0;
    is_mid_line_ = false;
  }
  return opened;
}

IoResult AppendFile::write(std::string_view line) noexcept {
  if (is_mid_line_) {
    const IoResult ended = write_some("\n");
    if (!ended.ok()) {
      return ended;
    }
    is_mid_line_ = false;
  }
  while (written_ < line.size()) {
    const IoResult some = write_some(line.substr(written_));
    if (some.would_block()) {
      return some;
    }
    if (!some.ok()) {
      is_mid_line_ = written_ > 0;
      written_ = 0;
      return some;
    }
    written_ += some.count();
  }
  written_ = 0;
  return IoResult::of(static_cast<ssize_t>(line.size()));
}

IoResult AppendFile::write_some(std::string_view bytes) const noexcept {
  constexpr std::chrono::milliseconds kPatience{100};
  for (;;) {
    const IoResult written = IoResult::of(calls::write(fd_.get(), bytes.data(), bytes.size()));
    const bool is_writable_now =
        written.would_block() &&
        wait_ready(fd_.get(), POLLOUT, MonotonicClock::now() + kPatience) != 0;
    if (!is_writable_now && written.error() != EINTR) {
      return written;
    }
  }
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
