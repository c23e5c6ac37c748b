// echod itself, as a test runs it: the built binary with a directory of its own, a configuration
// given as text, an ephemeral port; started when the constructor returns, and watched from outside.
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
  std::string config = {};                  // TOML. With [[listen]] in it, no --address and --port.
  std::vector<std::string> arguments = {};  // Further ones.
  std::vector<std::string> environment = {};  // "NAME=value".
  bool has_log_argument = true;               // --log-file; else what the config says.
  bool has_stdin = false;
  bool names_journal = false;                   // As if started by systemd.
  bool closes_stderr = false;                   // Started once the log file says so.
  bool blocks_stderr = false;                   // The same for these two.
  bool closes_standard = false;                 // See ChildOptions.
  std::optional<int> stderr_to = {};            // The same.
  std::optional<rlim_t> file_size = {};         // RLIMIT_FSIZE.
  std::optional<rlim_t> open_files = {};        // RLIMIT_NOFILE, soft and hard.
  std::optional<rlimit> open_files_range = {};  // The two apart.
  std::optional<rlim_t> address_space = {};     // RLIMIT_AS.
  std::optional<uid_t> user = {};
  std::vector<int> passes = {};  // Listening sockets, as in socket activation.
};

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

// What the kernel says about a process.
struct MemoryUse {
  std::uint64_t private_dirty_bytes = 0;
  std::uint64_t virtual_bytes = 0;
};

class DaemonProcess {
 public:
  // Throws std::runtime_error with what the daemon said if it does not come up.
  explicit DaemonProcess(const DaemonOptions& options = {});

  [[nodiscard]] const std::vector<ListenAddress>& listeners() const { return listeners_; }
  [[nodiscard]] std::uint16_t port() const { return listeners_.front().port; }
  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string config_path() const { return directory_.file("echod.toml"); }
  [[nodiscard]] std::string log_path() const { return directory_.file("network-server.log"); }
  [[nodiscard]] ChildProcess& child() { return *child_; }

  // Stops the process where it is, so that a test can prepare what it will find; then lets it go
  // on.
  void freeze();
  void thaw();
  void signal(int number) { child_->signal(number); }
  // Replaces the config file and sends SIGHUP.
  void reload(const std::string& config);

  [[nodiscard]] std::vector<std::string> log_lines() const;
  [[nodiscard]] std::vector<std::string> err_lines() { return lines_of(child_->err()); }
  // How many lines of the log file contain `text`.
  [[nodiscard]] std::size_t count_log(const std::string& text) const;
  // Waits for at least `times` of them; returns the last. Ends the test case if they do not come.
  [[nodiscard]] std::string wait_for_log(const std::string& text, std::size_t times = 1) const;
  // The same for stderr.
  [[nodiscard]] std::string wait_for_err(const std::string& text, std::size_t times = 1);
  // The counters as they are now (SIGUSR2).
  [[nodiscard]] std::map<std::string, std::uint64_t> counters();
  [[nodiscard]] std::uint64_t counter(const std::string& name);
  // Fails the test unless a counter comes to exactly this value. It may take a moment: the worker
  // counts an echo after the client has it.
  void expect_counter(const std::string& name, std::uint64_t value);
  // Waits until a counter has at least this value.
  void wait_for_counter(const std::string& name, std::uint64_t value);

  // Seen from outside, without a word from the daemon. The log file is not counted, because it is
  // opened in a thread of its own, maybe after the start; nor are pipes, because workers keep those
  // that they have spliced through.
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] std::chrono::nanoseconds cpu_time() const;
  [[nodiscard]] MemoryUse memory() const;

  // A line of this content is no failure in finish(); it must have come by then.
  void expect_log(const std::string& text) { expected_.push_back(text); }
  // It may also not come.
  void allow_log(const std::string& text) { allowed_.push_back(text); }

  [[nodiscard]] std::optional<int> wait(const Deadline& deadline = Deadline()) {
    return child_->wait(deadline);
  }
  // What every test ends with, while its connections are closed: descriptors back to where they
  // were, SIGTERM, exit code 0, no unexpected error line, no sanitizer's report. Failures fail the
  // test.
  void finish();
  // The same for a daemon that the test has told to stop.
  void finish_stopped(int exit_code = 0);
  [[nodiscard]] bool is_finished() const { return is_finished_; }

 private:
  void wait_for_start(bool from_log);
  std::string ask_for_counters();
  void check_lines(const std::vector<std::string>& lines, const std::string& source) const;
  [[nodiscard]] std::string everything_said() const;

  TemporaryDirectory directory_;
  std::unique_ptr<ChildProcess> child_;
  std::vector<ListenAddress> listeners_;
  std::vector<std::string> expected_;
  std::vector<std::string> allowed_;
  std::size_t descriptors_at_start_ = 0;
  bool is_finished_ = false;
};

// Runs the binary to its end: for what it prints, and for starts that fail.
[[nodiscard]] ChildResult run_echod(const std::vector<std::string>& arguments,
                                    const std::string& directory = "");

}  // namespace echod::test
