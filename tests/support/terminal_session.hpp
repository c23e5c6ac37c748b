// Runs a program in a terminal of its own (forkpty(3)): what is typed, the size, and signals of the
// terminal reach it as they do in a terminal emulator.
// Thread-safety: none. Waits have a deadline and throw when it passes.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <functional>
#include <string>
#include <vector>

#include "deadline.hpp"

namespace echod::test {

class TerminalSession {
 public:
  // The first argument is the program. `environment` is in addition to the test's own.
  explicit TerminalSession(std::vector<std::string> arguments,
                           std::vector<std::string> environment = {"TERM=xterm"});
  // Kills the program if it still runs.
  ~TerminalSession();
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;

  void type(const std::string& keys) const;
  // The kernel sends SIGWINCH to the program.
  void resize(unsigned short columns, unsigned short rows) const;
  void signal(int number) const;
  // Writes to the terminal until it takes no more bytes, because nobody reads.
  void fill() const;
  // Whether the terminal echoes what is typed, and gives it to programs in lines, as at the start.
  [[nodiscard]] bool has_modes_of_the_start() const;

  // Everything that the program has written so far.
  [[nodiscard]] const std::string& output();
  // Reads until `is_enough(output())`.
  void wait_for(const std::string& what, const std::function<bool(const std::string&)>& is_enough);
  // Waits until the program is stopped, as by Ctrl-Z.
  void wait_for_stop();
  // Reads until the program ends. Returns its exit code, or 128 plus the number of the signal that
  // killed it.
  [[nodiscard]] int wait();
  // The same without reading, so that the terminal stays full.
  [[nodiscard]] int wait_without_reading();

 private:
  // Returns whether something came before `patience_ms` was over.
  bool read(int patience_ms);
  [[nodiscard]] bool has_ended();

  pid_t pid_ = -1;
  int user_ = -1;
  int status_ = 0;
  bool is_over_ = false;
  termios modes_{};
  std::string output_;
};

}  // namespace echod::test
