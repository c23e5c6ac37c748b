// A pseudoterminal (pty(7)). The test reads what is written to it at the other end, or lets it
// fill.
// Thread-safety: none.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace echod::test {

class PseudoTerminal {
 public:
  PseudoTerminal() : user_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    std::array<char, 64> name{};
    if (user_ < 0 || grantpt(user_) != 0 || unlockpt(user_) != 0 ||
        ptsname_r(user_, name.data(), name.size()) != 0) {
      throw std::system_error(errno, std::system_category(), "posix_openpt");
    }
    path_ = name.data();
    terminal_ = open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  ~PseudoTerminal() {
    (void)close(terminal_);
    hang_up();
  }
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  // The descriptor for the standard streams of a program.
  [[nodiscard]] int fd() const { return terminal_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Closes the user's end, as a terminal emulator does when its window is closed.
  void hang_up() {
    if (user_ >= 0) {
      (void)close(user_);
      user_ = -1;
    }
  }
  void type(const std::string& text) const { (void)!write(user_, text.data(), text.size()); }
  // Writes until the terminal takes no more bytes. The kernel moves written bytes to the other end
  // a little later, which frees space, so this tries again.
  void fill() const {
    constexpr int kLaterMs = 100;
    const std::array<char, 512> bytes{};
    pollfd writable{.fd = terminal_, .events = POLLOUT, .revents = 0};
    (void)fcntl(terminal_, F_SETFL, O_NONBLOCK);
    do {
      while (write(terminal_, bytes.data(), bytes.size()) > 0 || write(terminal_, "x", 1) > 0) {
      }
    } while (poll(&writable, 1, kLaterMs) == 1);
    (void)fcntl(terminal_, F_SETFL, 0);
  }
  // Reads what was written to it, and returns it.
  std::string drain() const {  // NOLINT(modernize-use-nodiscard): it may be only to make space.
    std::string text;
    std::array<char, 4096> bytes{};
    (void)fcntl(user_, F_SETFL, O_NONBLOCK);
    for (ssize_t count = 1; count > 0;) {
      count = read(user_, bytes.data(), bytes.size());
      text.append(bytes.data(), static_cast<std::size_t>(count > 0 ? count : 0));
    }
    return text;
  }

 private:
  int user_;
  int terminal_ = -1;
  std::string path_;
};

}  // namespace echod::test
