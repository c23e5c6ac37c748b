// A file that is only ever appended to (O_APPEND), so that rotation by rename or by truncation
// keeps every line whole. Thread-safety: one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class AppendFile {
 public:
  // Opens `path`, creating it with mode 0640, in place of what was open before; on failure that
  // stays open. In a directory that others than root and the user of this process may write to,
  // the last part of `path` may not be a link: EMLINK.
  IoResult open(const std::string& path) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // Writes all of `line`; EBADF if nothing is open. Waits for room, in a pipe that is full, for at
  // most 100 ms: then fails with EAGAIN, and must be called with the same line again. After any
  // other failure, when part of the line may have been written, the next one begins a new line.
  IoResult write(std::string_view line) noexcept;

 private:
  IoResult write_some(std::string_view bytes) const noexcept;

  UniqueFd fd_;
  std::size_t written_ = 0;  // Bytes of a line that write() must be called with again.
  bool is_mid_line_ = false;
};

// Whether `fd` is the very stream that `journal_stream` (the value of $JOURNAL_STREAM,
// "device:inode", systemd.exec(5)) names: then lines may carry a priority prefix. Allocates
// nothing.
[[nodiscard]] bool is_journal_stream(int fd, std::string_view journal_stream) noexcept;

}  // namespace echod::sys
