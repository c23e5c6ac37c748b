// The terminal as a screen of lines: the alternate screen, without echo of what is typed.
//
// Plain control sequences (ECMA-48, and the private modes of xterm that all terminal emulators and
// the Linux console know) instead of ncurses: `top` draws whole lines from the top, so a library
// would add a dependency, a database of terminals and global state for five sequences.
//
// The terminal is restored by the destructor, and by a handler if a signal kills the process;
// SIGKILL cannot be handled. There must be only one object.
// Thread-safety: none. Writing waits at most a moment for a terminal that takes no output.
#pragma once

#include <string>
#include <vector>

#include "client/echoctl/top_frame.hpp"
#include "sys/shared_stream.hpp"

namespace echod::ctl {

class Screen {
 public:
  // Whether standard output is a terminal that can be used as a screen.
  [[nodiscard]] static bool is_possible();

  // Enters the alternate screen.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Enters again after leave(), or after another program has used the terminal.
  void enter();
  // Restores the terminal, for example before the process stops (SIGSTOP).
  void leave();

  [[nodiscard]] ScreenSize size() const;
  // Replaces what is shown. The lines must fit. Returns false if the terminal is gone.
  [[nodiscard]] bool show(const std::vector<std::string>& lines) const;

 private:
  sys::SharedStream stream_;
};

}  // namespace echod::ctl
