#include "client/echoctl/screen.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"

namespace echod::ctl {

namespace {

// The alternate screen, no cursor, and no new line at the right edge; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearToEndOfLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

constexpr std::chrono::milliseconds kPatience{200};

// What the signal handler reads. It is written before the handler is installed.
struct Entered {
  termios modes_before{};
  bool has_modes = false;
  volatile std::sig_atomic_t is_entered = 0;
};
Entered entered;

// Safe in a signal handler (signal-safety(7)).
void restore() noexcept {
  if (entered.is_entered != 0) {
    entered.is_entered = 0;
    // A failure cannot be reported.
    (void)sys::IoResult::of(write(STDOUT_FILENO, kLeave.data(), kLeave.size()));
    if (entered.has_modes) {
      (void)tcsetattr(STDOUT_FILENO, TCSANOW, &entered.modes_before);
    }
  }
}

// The default action, which ends the process, is in force again when this runs (SA_RESETHAND).
extern "C" void restore_and_end(int signal) {
  restore();
  (void)raise(signal);
}

// Signals that end the process and that no SignalFd receives.
void restore_before_the_end() {
  struct sigaction action {};
  action.sa_handler = &restore_and_end;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGSYS,
                           SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ}) {
    (void)sigaction(signal, &action, nullptr);  // Cannot fail with these arguments.
  }
}

}  // namespace

bool Screen::is_possible() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): echoctl has one thread.
  const char* const terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

Screen::Screen() : stream_(STDOUT_FILENO, O_WRONLY) {
  entered.has_modes = tcgetattr(STDOUT_FILENO, &entered.modes_before) == 0;
  restore_before_the_end();
  enter();
}

Screen::~Screen() {
  leave();
}

void Screen::enter() {
  if (entered.has_modes) {
    termios modes = entered.modes_before;
    modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    modes.c_iflag &= ~static_cast<tcflag_t>(IXON);  // Ctrl-S must not stop the output.
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    (void)tcsetattr(STDOUT_FILENO, TCSANOW, &modes);  // Without it, keys need Enter.
  }
  entered.is_entered = 1;
  (void)stream_.write_all(kEnter, sys::MonotonicClock::now() + kPatience);
}

// Waits for the terminal at most a moment, unlike restore(), which blocks while output is stopped.
void Screen::leave() {
  if (entered.is_entered != 0) {
    entered.is_entered = 0;
    (void)stream_.write_all(kLeave, sys::MonotonicClock::now() + kPatience);
    if (entered.has_modes) {
      (void)tcsetattr(STDOUT_FILENO, TCSANOW, &entered.modes_before);
    }
  }
}

ScreenSize Screen::size() const {
  winsize size{};
  const bool is_known =
      ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  return is_known ? ScreenSize{.columns = size.ws_col, .rows = size.ws_row} : ScreenSize();
}

// Draws the whole screen, so the next call repairs an incomplete picture.
bool Screen::show(const std::vector<std::string>& lines) const {
  std::string picture(kHome);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    picture += i == 0 ? "" : "\r\n";
    picture += lines[i];
    picture += kClearToEndOfLine;
  }
  picture += kClearBelow;
  const sys::IoResult shown = stream_.write_all(picture, sys::MonotonicClock::now() + kPatience);
  return shown.ok() || shown.would_block();
}

}  // namespace echod::ctl
