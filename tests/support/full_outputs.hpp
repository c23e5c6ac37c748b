// Outputs that are full and not read: writing to them blocks.
// Thread-safety: none.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "files.hpp"
#include "pseudo_terminal.hpp"

namespace echod::test {

// Owns a descriptor.
class OpenedFile {
 public:
  explicit OpenedFile(int fd) : fd_(fd) {
    if (fd_ < 0) {
      throw std::system_error(errno, std::system_category(), "cannot open a full output");
    }
  }
  ~OpenedFile() { (void)close(fd_); }
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;

  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

inline void fill(int fd) {
  const std::vector<char> bytes(4096, '.');
  for (std::size_t size = bytes.size(); size > 0;) {
    size = write(fd, bytes.data(), size) > 0 ? size : size / 2;  // The last piece may be small.
  }
}

// A full named pipe.
class FullFifo {
 public:
  FullFifo() { fill(fd_.get()); }
  [[nodiscard]] std::string path() const { return directory_.file("fifo"); }

 private:
  [[nodiscard]] int make() const {
    return mkfifo(path().c_str(), S_IRUSR | S_IWUSR) == 0
               ? open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)
               : -1;
  }

  TemporaryDirectory directory_;
  OpenedFile fd_{make()};
};

// A full terminal. Its other end is open, but not read.
class FullTerminal {
 public:
  FullTerminal() { terminal_.fill(); }
  [[nodiscard]] const std::string& path() const { return terminal_.path(); }

 private:
  PseudoTerminal terminal_;
};

}  // namespace echod::test
