// A program that a test runs: its output is collected while it runs, it can be signalled and waited
// for, and it never outlives the object (nor the test, should that be killed).
// Thread-safety: none; use from the thread that started it.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "deadline.hpp"

namespace echod::test {

struct ChildOptions {
  std::vector<std::string> arguments = {};    // The first is the program, looked up in PATH.
  std::vector<std::string> environment = {};  // "NAME=value", on top of the test's own.
  std::string directory = {};                 // Working directory; empty: the test's own.
  std::vector<std::pair<int, rlimit>> limits = {};
  // Its descriptors from 3 on, with $LISTEN_FDS and $LISTEN_PID as sd_listen_fds(3) wants them.
  std::vector<int> passes = {};
  std::optional<uid_t> user = {};      // Drop root for this user and the group of the same number.
  bool has_stdin = false;              // A pipe, see write_stdin(); else /dev/null.
  std::optional<int> stdin_from = {};  // This descriptor instead, such as a terminal's.
  std::optional<int> stderr_to = {};   // Its stderr is this descriptor, and err() stays empty.
  bool names_journal = false;          // $JOURNAL_STREAM names its stderr, as under systemd.
  bool closes_stderr = false;    // Its stderr is a pipe that nobody reads: writing raises SIGPIPE.
  bool blocks_stderr = false;    // Its stderr is a pipe that nobody reads, and full.
  bool closes_standard = false;  // It starts without descriptors 0, 1 and 2.
};

class ChildProcess {
 public:
  // Throws std::runtime_error if the program cannot be started.
  explicit ChildProcess(const ChildOptions& options);
  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  void write_stdin(const std::string& text) const;
  void close_stdin();

  // What it has printed so far.
  [[nodiscard]] std::string out();
  [[nodiscard]] std::string err();
  // Waits until `is_enough(err())`; false if the program closed its stderr or the deadline passed.
  [[nodiscard]] bool wait_for_err(const std::function<bool(const std::string&)>& is_enough,
                                  const Deadline& deadline = Deadline());

  // Waits for its end: the exit code, 128 plus the signal that killed it, or nothing if the
  // deadline passed first. All of its output has been collected then.
  [[nodiscard]] std::optional<int> wait(const Deadline& deadline = Deadline());
  [[nodiscard]] bool is_running();

 private:
  void collect(bool with_stderr);

  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> exit_code_;
  int stdin_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
  int stop_ = -1;     // An eventfd: ends the collector.
  std::mutex mutex_;  // Guards the members down to `is_at_end_`.
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  bool is_at_end_ = false;
  std::thread collector_;
};

struct ChildResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs a program to its end; throws std::runtime_error if that does not come.
[[nodiscard]] ChildResult run(const ChildOptions& options);

// Whether `program` is in PATH.
[[nodiscard]] bool is_installed(const std::string& program);

}  // namespace echod::test
