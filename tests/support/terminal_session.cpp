#include "terminal_session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace echod::test {

namespace {

constexpr int kShortMs = 20;
constexpr int kNotStarted = 127;
constexpr int kKilled = 128;

// In the child. `arguments` and `environment` were made before the fork.
[[noreturn]] void start_program(const std::vector<char*>& arguments,
                                const std::vector<char*>& environment) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (char* const variable : environment) {
    (void)putenv(variable);  // NOLINT(concurrency-mt-unsafe): the child has one thread.
  }
  (void)execvp(arguments.front(), arguments.data());
  _exit(kNotStarted);
}

}  // namespace

TerminalSession::TerminalSession(std::vector<std::string> arguments,
                                 std::vector<std::string> environment) {
  const auto data = [](std::string& text) { return text.data(); };
  std::vector<char*> words(arguments.size() + 1);  // The last is null.
  std::ranges::transform(arguments, words.begin(), data);
  std::vector<char*> variables(environment.size());
  std::ranges::transform(environment, variables.begin(), data);
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  pid_ = forkpty(&user_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    start_program(words, variables);
  }
  if (pid_ < 0) {
    throw std::system_error(errno, std::system_category(), "forkpty");
  }
  // The modes of a new terminal, which the program may have changed already.
  int user = -1;
  int terminal = -1;
  if (openpty(&user, &terminal, nullptr, nullptr, nullptr) != 0) {
    throw std::system_error(errno, std::system_category(), "openpty");
  }
  (void)tcgetattr(user, &modes_);
  (void)close(user);
  (void)close(terminal);
}

TerminalSession::~TerminalSession() {
  if (!is_over_) {
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }
  (void)close(user_);
}

void TerminalSession::type(const std::string& keys) const {
  if (write(user_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    throw std::system_error(errno, std::system_category(), "cannot type");
  }
}

void TerminalSession::resize(unsigned short columns, unsigned short rows) const {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  (void)ioctl(user_, TIOCSWINSZ, &size);
}

void TerminalSession::signal(int number) const {
  (void)kill(pid_, number);
}

void TerminalSession::fill() const {
  std::array<char, 64> name{};
  const std::string bytes(512, '.');
  const int terminal = ptsname_r(user_, name.data(), name.size()) == 0
                           ? open(name.data(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
                           : -1;
  if (terminal < 0) {
    throw std::system_error(errno, std::system_category(), "cannot open the terminal");
  }
  // The kernel moves written bytes to the other end a little later, which frees space.
  pollfd writable{.fd = terminal, .events = POLLOUT, .revents = 0};
  do {
    while (write(terminal, bytes.data(), bytes.size()) > 0) {
    }
  } while (poll(&writable, 1, kShortMs) == 1);
  (void)close(terminal);
}

bool TerminalSession::has_modes_of_the_start() const {
  termios now{};
  return tcgetattr(user_, &now) == 0 && now.c_lflag == modes_.c_lflag &&
         now.c_iflag == modes_.c_iflag && now.c_oflag == modes_.c_oflag;
}

const std::string& TerminalSession::output() {
  while (read(0)) {
  }
  return output_;
}

bool TerminalSession::read(int patience_ms) {
  std::array<char, 4096> bytes{};
  pollfd readable{.fd = user_, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, patience_ms) != 1) {
    return false;
  }
  // Fails with EIO when no program has the terminal any more.
  const ssize_t count = ::read(user_, bytes.data(), bytes.size());
  if (count <= 0) {
    return false;
  }
  output_.append(bytes.data(), static_cast<std::size_t>(count));
  return true;
}

void TerminalSession::wait_for(const std::string& what,
                               const std::function<bool(const std::string&)>& is_enough) {
  const Deadline deadline;
  while (!is_enough(output_)) {
    if (deadline.has_passed() || (!read(kShortMs) && has_ended() && !is_enough(output()))) {
      throw std::runtime_error("no " + what + " in: " + output_);
    }
  }
}

void TerminalSession::wait_for_stop() {
  wait_until("the program to stop", [this] {
    (void)read(0);
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG) == 0 &&
           info.si_pid == pid_ && info.si_code == CLD_STOPPED;
  });
}

bool TerminalSession::has_ended() {
  if (!is_over_ && waitpid(pid_, &status_, WNOHANG) == pid_) {
    is_over_ = true;
  }
  return is_over_;
}

int TerminalSession::wait() {
  wait_until("the program to end", [this] {
    while (read(0)) {
    }
    return has_ended();
  });
  (void)output();
  return wait_without_reading();
}

int TerminalSession::wait_without_reading() {
  wait_until("the program to end", [this] { return has_ended(); });
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : kKilled + WTERMSIG(status_);
}

}  // namespace echod::test
