// Runs the real echod for a test: the built binary, with its own directory, a configuration given
// as text, and an ephemeral port. The daemon serves when the constructor returns. Everything is
// observed from outside the process.
// Thread-safety: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "files.hpp"

namespace echod::test {

struct DaemonOptions {
  std::string config = {};                    // TOML. Without [[listen]]: 127.0.0.1, any free port.
  std::vector<std::string> arguments = {};    // Further arguments.
  std::vector<std::string> environment = {};  // "NAME=value".
  bool has_log_argument = true;               // Pass --log-file; else the config names the file.
  bool has_stdin = false;
  // For the next five see ChildOptions. With one of the last four, the start is read from the log
  // file, because stderr is not available.
  bool names_journal = false;
  bool closes_stderr = false;
  bool blocks_stderr = false;
  bool closes_standard = false;
  std::optional<int> stderr_to = {};
  std::optional<rlim_t> file_size = {};         // RLIMIT_FSIZE.
  std::optional<rlim_t> open_files = {};        // RLIMIT_NOFILE, soft and hard.
  std::optional<rlimit> open_files_range = {};  // RLIMIT_NOFILE, soft and hard separately.
  std::optional<rlim_t> address_space = {};     // RLIMIT_AS.
  std::optional<uid_t> user = {};
  std::vector<int> passes = {};  // Listening sockets, as in socket activation.
  // Run a copy of the binary, which the test may replace (program_path()).
  bool has_own_program = false;
};

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

// Memory of a process, as the kernel counts it.
struct MemoryUse {
  std::uint64_t private_dirty_bytes = 0;
  std::uint64_t virtual_bytes = 0;
};

class DaemonProcess {
 public:
  // Throws std::runtime_error with the daemon's output if it does not start.
  explicit DaemonProcess(const DaemonOptions& options = {});

  [[nodiscard]] const std::vector<ListenAddress>& listeners() const { return listeners_; }
  [[nodiscard]] std::uint16_t port() const { return listeners_.front().port; }
  [[nodiscard]] const std::vector<ListenAddress>& datagram_listeners() const {
    return datagram_listeners_;
  }
  [[nodiscard]] std::uint16_t datagram_port() const { return datagram_listeners_.front().port; }
  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string config_path() const { return directory_.file("echod.toml"); }
  [[nodiscard]] std::string log_path() const { return directory_.file("network-server.log"); }
  // The file of the program, if the daemon has its own or runs as another user.
  [[nodiscard]] std::string program_path() const { return directory_.file("echod"); }
  [[nodiscard]] ChildProcess& child() { return *child_; }

  // Stops the process (SIGSTOP), so that a test can prepare what it will find.
  void freeze();
  // Continues it (SIGCONT).
  void thaw();
  void signal(int number) { child_->signal(number); }
  // Replaces the config file and sends SIGHUP.
  void reload(const std::string& config);

  [[nodiscard]] std::vector<std::string> log_lines() const;
  [[nodiscard]] std::vector<std::string> err_lines() { return lines_of(child_->err()); }
  // Returns how many lines of the log file contain `text`.
  [[nodiscard]] std::size_t count_log(const std::string& text) const;
  // Waits for at least `times` such lines; returns the last. Throws if they do not come.
  [[nodiscard]] std::string wait_for_log(const std::string& text, std::size_t times = 1) const;
  // The same for stderr.
  [[nodiscard]] std::string wait_for_err(const std::string& text, std::size_t times = 1);
  // Asks the daemon for its counters (SIGUSR2).
  [[nodiscard]] std::map<std::string, std::uint64_t> counters();
  [[nodiscard]] std::uint64_t counter(const std::string& name);
  // Fails the test unless a counter reaches exactly this value. It may take a moment: the worker
  // counts an echo after it has sent it.
  void expect_counter(const std::string& name, std::uint64_t value);
  // Waits until a counter has at least this value.
  void wait_for_counter(const std::string& name, std::uint64_t value);

  // Read from /proc, without asking the daemon. The count of descriptors includes the log file even
  // before the log thread has opened it. It excludes pipes, because workers keep those that they
  // have used for splice.
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] std::chrono::nanoseconds cpu_time() const;
  [[nodiscard]] MemoryUse memory() const;

  // A warning or error that contains `text` must come before finish() ends.
  void expect_log(const std::string& text) { expected_.push_back(text); }
  // A warning or error that contains `text` may come.
  void allow_log(const std::string& text) { allowed_.push_back(text); }

  [[nodiscard]] std::optional<int> wait(const Deadline& deadline = Deadline()) {
    return child_->wait(deadline);
  }
  // The end of every test; all connections must be closed. Checks that no descriptor was leaked,
  // sends SIGTERM, and checks for exit code 0, for no unexpected warning or error in the log, and
  // for no report of a sanitizer.
  void finish();
  // The same for a daemon that the test has stopped. Sends no signal and counts no descriptors.
  void finish_stopped(int exit_code = 0);
  [[nodiscard]] bool is_finished() const { return is_finished_; }

 private:
  void wait_for_start(bool from_log);
  std::string ask_for_counters();
  void check_lines(const std::vector<std::string>& lines, const std::string& source) const;
  [[nodiscard]] std::string everything_said() const;

  TemporaryDirectory directory_;
  std::unique_ptr<ChildProcess> child_;
  std::vector<ListenAddress> listeners_;           // Of TCP.
  std::vector<ListenAddress> datagram_listeners_;  // Of UDP.
  std::vector<std::string> expected_;
  std::vector<std::string> allowed_;
  std::size_t descriptors_at_start_ = 0;
  bool is_finished_ = false;
};

// Runs the binary to its end. For its output, and for starts that fail.
[[nodiscard]] ChildResult run_echod(const std::vector<std::string>& arguments,
                                    const std::string& directory = "");

}  // namespace echod::test
