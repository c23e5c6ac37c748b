// Appends lines to a file (O_APPEND). Rotation by rename or by truncation keeps every line whole.
//
// Owns the descriptor. Thread-safety: one thread at a time. write() blocks for at most 100 ms at a
// time on a full pipe.
#pragma once

#include <string>
#include <string_view>

#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class AppendFile {
 public:
  // Opens `path`, or creates it with mode 0640, and closes the file that was open before. On
  // failure the old file stays open. Fails with EMLINK if the file is a symbolic or hard link, and
  // users other than root and the user of this process can write its directory.
  IoResult open(const std::string& path) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // Writes all of `line`. Fails with EBADF if no file is open. Waits for at most 100 ms while a
  // pipe is full, then fails with EAGAIN: the next call must have the same line. After another
  // failure, which may leave a part of the line in the file, the next call starts a new line.
  IoResult write(std::string_view line) noexcept;

 private:
  IoResult write_some(std::string_view bytes) const noexcept;

  UniqueFd fd_;
  std::size_t written_ = 0;   // Bytes written of the line that failed with EAGAIN.
  bool is_mid_line_ = false;  // The file ends in a part of a line.
};

// Whether `fd` is the stream of the journal, so that lines may have a priority prefix.
// `journal_stream` is the value of $JOURNAL_STREAM, "device:inode" (systemd.exec(5)). Allocates
// nothing.
[[nodiscard]] bool is_journal_stream(int fd, std::string_view journal_stream) noexcept;

}  // namespace echod::sys
