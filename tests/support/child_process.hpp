// Runs a program for a test: collects its output, sends it signals, and waits for its end. The
// program never outlives the object. It also dies if the test is killed.
// Thread-safety: none; use it from the thread that started it.
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
  std::vector<std::string> environment = {};  // "NAME=value", in addition to the test's own.
  std::string directory = {};                 // Working directory; empty: the test's own.
  std::vector<std::pair<int, rlimit>> limits = {};
  // Passed as descriptors 3, 4, ..., with $LISTEN_FDS and $LISTEN_PID set as for sd_listen_fds(3).
  std::vector<int> passes = {};
  std::optional<uid_t> user = {};      // Become this user, and the group of the same number.
  bool has_stdin = false;              // stdin is a pipe, see write_stdin(); else /dev/null.
  std::optional<int> stdin_from = {};  // stdin is this descriptor, such as a terminal's.
  std::optional<int> stderr_to = {};   // stderr is this descriptor, and err() stays empty.
  bool names_journal = false;          // $JOURNAL_STREAM names stderr, as under systemd.
  bool closes_stderr = false;          // stderr is a pipe without a reader: writing raises SIGPIPE.
  bool blocks_stderr = false;          // stderr is a full pipe that is not read: writing blocks.
  bool closes_standard = false;        // The program starts without descriptors 0, 1 and 2.
};

class ChildProcess {
 public:
  // Throws std::runtime_error if the program cannot be started.
  explicit ChildProcess(const ChildOptions& options);
  // Kills the program if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  void write_stdin(const std::string& text) const;
  void close_stdin();

  // What the program has printed so far.
  [[nodiscard]] std::string out();
  [[nodiscard]] std::string err();
  // Waits until `is_enough(err())`. Returns false if the program closed its stderr or the deadline
  // passed first.
  [[nodiscard]] bool wait_for_err(const std::function<bool(const std::string&)>& is_enough,
                                  const Deadline& deadline = Deadline());

  // Waits for the end of the program and collects the rest of its output. Returns the exit code, or
  // 128 plus the number of the signal that killed it, or nothing if the deadline passed first.
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
  int stop_ = -1;     // An eventfd that ends the collector.
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

// Runs a program to its end. Throws std::runtime_error if it does not end.
[[nodiscard]] ChildResult run(const ChildOptions& options);

// Whether `program` is in PATH.
[[nodiscard]] bool is_installed(const std::string& program);

}  // namespace echod::test
