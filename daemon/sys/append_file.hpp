// A file that is only ever appended to (O_APPEND), so that rotation by rename or by truncation
// keeps every line whole. Thread-safety: none; the log sink that owns it has a lock.
#pragma once

#include <string>
#include <string_view>

#include "io_result.hpp"
#include "unique_fd.hpp"

namespace echod::sys {

class AppendFile {
 public:
  // Opens `path`, creating it with mode 0640; replaces what was open before, on failure too.
  IoResult open(const std::string& path) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // Writes all of `bytes`, a line. On failure part of it may have been written; the next write
  // begins a new line then. EBADF if nothing is open.
  IoResult write(std::string_view bytes) noexcept;

 private:
  UniqueFd fd_;
  bool is_mid_line_ = false;
};

// Whether `fd` is the very stream that `journal_stream` (the value of $JOURNAL_STREAM,
// "device:inode", systemd.exec(5)) names: then lines may carry a priority prefix. Allocates
// nothing.
[[nodiscard]] bool is_journal_stream(int fd, std::string_view journal_stream) noexcept;

}  // namespace echod::sys
