#include "daemon_process.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace echod::test {

namespace {

bool contains(const std::string& whole, const std::string& part) {
  return whole.find(part) != std::string::npos;
}

std::size_t count_containing(const std::vector<std::string>& lines, const std::string& part) {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const std::string& line) { return contains(line, part); }));
}

std::string last_containing(const std::vector<std::string>& lines, const std::string& part) {
  const auto found = std::find_if(lines.rbegin(), lines.rend(),
                                  [&](const std::string& line) { return contains(line, part); });
  return found == lines.rend() ? "" : *found;
}

rlimit both(rlim_t limit) {
  return {.rlim_cur = limit, .rlim_max = limit};
}

constexpr const char* kListening = "listening on ";
constexpr const char* kListeningOnUdp = "listening on udp ";
constexpr const char* kListeningOnPath = "listening on unix:";

// Parses "... listening on 127.0.0.1:40001, backlog 1024", or the same with "[::]:40001", or with
// kListeningOnUdp as `words`.
ListenAddress parse_listening(const std::string& line, const std::string& words) {
  const std::size_t start = line.find(words) + words.size();
  const std::string address = line.substr(start, line.find_first_of(", \n", start) - start);
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) {
    host = host.substr(1, host.size() - 2);
  }
  return {.host = host, .port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)))};
}

// Returns the number of bytes on a line "name  123 kB" of a file under /proc.
std::uint64_t bytes_in(const std::string& path, const std::string& wanted) {
  constexpr std::uint64_t kKib = 1024;
  for (const std::string& line : lines_of(read_file(path))) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t kib = 0;
    if (fields >> name >> kib && name == wanted) {
      return kib * kKib;
    }
  }
  throw std::runtime_error("no " + wanted + " in " + path);
}

ChildOptions child_options(const DaemonOptions& options, const TemporaryDirectory& directory) {
  ChildOptions child;
  child.arguments = {ECHOD_BINARY, "--config", directory.file("echod.toml")};
  if (!contains(options.config, "[[listen]]")) {
    child.arguments.insert(child.arguments.end(), {"--address", "127.0.0.1", "--port", "0"});
  }
  if (options.has_log_argument) {
    child.arguments.insert(child.arguments.end(),
                           {"--log-file", directory.file("network-server.log")});
  }
  child.arguments.insert(child.arguments.end(), options.arguments.begin(), options.arguments.end());
  child.environment = options.environment;
  child.directory = directory.path();
  child.user = options.user;
  child.passes = options.passes;
  child.has_stdin = options.has_stdin;
  child.names_journal = options.names_journal;
  child.closes_stderr = options.closes_stderr;
  child.blocks_stderr = options.blocks_stderr;
  child.closes_standard = options.closes_standard;
  child.stderr_to = options.stderr_to;
  if (options.file_size) {
    child.limits.emplace_back(RLIMIT_FSIZE, both(*options.file_size));
  }
  if (options.open_files) {
    child.limits.emplace_back(RLIMIT_NOFILE, both(*options.open_files));
  }
  if (options.open_files_range) {
    child.limits.emplace_back(RLIMIT_NOFILE, *options.open_files_range);
  }
  if (options.address_space) {
    child.limits.emplace_back(RLIMIT_AS, both(*options.address_space));
  }
  return child;
}

}  // namespace

DaemonProcess::DaemonProcess(const DaemonOptions& options) {
  write_file(config_path(), options.config);
  ChildOptions child = child_options(options, directory_);
  if (options.user) {
    // The user may have no access to the build directory.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
  }
  if (options.user || options.has_own_program) {
    std::filesystem::copy_file(ECHOD_BINARY, program_path());
    child.arguments.front() = program_path();
  }
  child_ = std::make_unique<ChildProcess>(child);
  wait_for_start(options.closes_stderr || options.blocks_stderr || options.closes_standard ||
                 options.stderr_to.has_value());
  if (options.has_log_argument) {
    // The log thread opens the file, maybe after the start.
    wait_until("the log file to be opened", [this] {
      return std::filesystem::exists(log_path()) ||
             contains(child_->err(), "cannot write the log file");
    });
  }
  descriptors_at_start_ = open_descriptors();
}

void DaemonProcess::wait_for_start(bool from_log) {
  const std::string started = "started: ";
  bool is_started = false;
  if (from_log) {
    is_started = eventually([&] { return count_log(started) > 0 || !child_->is_running(); });
  } else {
    is_started =
        child_->wait_for_err([&](const std::string& err) { return contains(err, started); });
  }
  const std::vector<std::string> lines = from_log ? log_lines() : err_lines();
  bool has_path = false;
  for (const std::string& line : lines) {
    if (contains(line, kListeningOnUdp)) {
      datagram_listeners_.push_back(parse_listening(line, kListeningOnUdp));
    } else if (contains(line, kListeningOnPath)) {
      has_path = true;
    } else if (contains(line, kListening)) {
      listeners_.push_back(parse_listening(line, kListening));
    }
  }
  if (!is_started || (listeners_.empty() && datagram_listeners_.empty() && !has_path)) {
    const std::optional<int> exit_code = child_->wait(Deadline(std::chrono::seconds(1)));
    throw std::runtime_error("echod did not start (exit code " +
                             (exit_code ? std::to_string(*exit_code) : "none") + ")" +
                             everything_said());
  }
}

void DaemonProcess::freeze() {
  signal(SIGSTOP);
  wait_until("every thread to stop", [this] {
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid()) + "/task";
    const auto is_stopped = [](const std::filesystem::directory_entry& task) {
      return contains(read_file(task.path() / "status"), "\nState:\tT");
    };
    return std::all_of(std::filesystem::directory_iterator(tasks), {}, is_stopped);
  });
}

void DaemonProcess::thaw() {
  signal(SIGCONT);
}

void DaemonProcess::reload(const std::string& config) {
  write_file(config_path(), config);
  signal(SIGHUP);
}

std::vector<std::string> DaemonProcess::log_lines() const {
  std::string text = read_file(log_path());
  text.erase(text.rfind('\n') + 1);  // A line that is still being written.
  return lines_of(text);
}

std::size_t DaemonProcess::count_log(const std::string& text) const {
  return count_containing(log_lines(), text);
}

std::string DaemonProcess::wait_for_log(const std::string& text, std::size_t times) const {
  std::vector<std::string> lines;
  const bool has_come = eventually([&] {
    lines = log_lines();
    return count_containing(lines, text) >= times;
  });
  if (!has_come) {
    throw std::runtime_error("timed out waiting for the log line '" + text + "'" +
                             everything_said());
  }
  return last_containing(lines, text);
}

std::string DaemonProcess::wait_for_err(const std::string& text, std::size_t times) {
  if (!child_->wait_for_err(
          [&](const std::string& err) { return count_containing(lines_of(err), text) >= times; })) {
    throw std::runtime_error("timed out waiting for '" + text + "' on stderr" + everything_said());
  }
  return last_containing(err_lines(), text);
}

std::string DaemonProcess::ask_for_counters() {
  const std::string words = "counters: ";
  constexpr std::chrono::seconds kAskAgain{2};
  const std::size_t before = count_log(words);
  const Deadline deadline;
  do {  // Asks again, because a full log queue may drop the answer.
    signal(SIGUSR2);
    if (eventually([&] { return count_log(words) > before; }, Deadline(kAskAgain))) {
      const std::string line = last_containing(log_lines(), words);
      return line.substr(line.find(words) + words.size());
    }
  } while (!deadline.has_passed());
  throw std::runtime_error("timed out waiting for the counters" + everything_said());
}

std::map<std::string, std::uint64_t> DaemonProcess::counters() {
  std::istringstream pairs(ask_for_counters());
  std::map<std::string, std::uint64_t> counters;
  for (std::string pair; pairs >> pair;) {
    const std::size_t equals = pair.find('=');
    counters[pair.substr(0, equals)] = std::stoull(pair.substr(equals + 1));
  }
  return counters;
}

std::uint64_t DaemonProcess::counter(const std::string& name) {
  const auto all = counters();
  const auto found = all.find(name);
  if (found == all.end()) {
    throw std::runtime_error("there is no counter " + name);
  }
  return found->second;
}

void DaemonProcess::expect_counter(const std::string& name, std::uint64_t value) {
  std::uint64_t last = 0;
  const auto has_value = [&] {
    last = counter(name);
    return last == value;
  };
  EXPECT_TRUE(eventually(has_value, Deadline(kPatience / 4)))
      << name << " is " << last << ", not " << value;
}

void DaemonProcess::wait_for_counter(const std::string& name, std::uint64_t value) {
  wait_until(name + " to reach " + std::to_string(value), [&] { return counter(name) >= value; });
}

std::size_t DaemonProcess::open_descriptors() const {
  const std::filesystem::path folder = "/proc/" + std::to_string(pid()) + "/fd";
  std::size_t files = 0;
  std::size_t others = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry, gone).string();
    if (target.starts_with("pipe:")) {
      continue;
    }
    const bool is_standard = std::stoi(entry.path().filename()) <= STDERR_FILENO;
    const bool is_file = target.starts_with('/');
    ++(is_file && !is_standard ? files : others);
  }
  return others + std::max<std::size_t>(files, 1);
}

std::chrono::nanoseconds DaemonProcess::cpu_time() const {
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid()) + "/task";
  std::chrono::nanoseconds sum{0};
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::istringstream fields(read_file(task.path() / "schedstat"));
    std::int64_t on_cpu_ns = 0;
    fields >> on_cpu_ns;
    sum += std::chrono::nanoseconds(on_cpu_ns);
  }
  return sum;
}

MemoryUse DaemonProcess::memory() const {
  const std::string folder = "/proc/" + std::to_string(pid());
  return {.private_dirty_bytes = bytes_in(folder + "/smaps_rollup", "Private_Dirty:"),
          .virtual_bytes = bytes_in(folder + "/status", "VmSize:")};
}

std::string DaemonProcess::everything_said() const {
  constexpr std::size_t kMost = 4000;
  const auto tail = [](const std::string& text) {
    return text.size() <= kMost ? text : "..." + text.substr(text.size() - kMost);
  };
  return "\n--- stderr\n" + tail(child_->err()) + "\n--- log\n" + tail(read_file(log_path()));
}

void DaemonProcess::check_lines(const std::vector<std::string>& lines,
                                const std::string& source) const {
  static constexpr std::array kBad{" - WARNING - ",
                                   " - ERROR - ",
                                   " - CRITICAL - ",
                                   "<4>",
                                   "<3>",
                                   "<2>",
                                   "AddressSanitizer",
                                   "LeakSanitizer",
                                   "ThreadSanitizer",
                                   "runtime error:",
                                   "invariant violated"};
  const auto is_in = [](const std::string& line) {
    return [&line](const std::string& text) { return contains(line, text); };
  };
  for (const std::string& line : lines) {
    const bool is_bad = std::any_of(kBad.begin(), kBad.end(), is_in(line));
    const bool is_known = std::any_of(expected_.begin(), expected_.end(), is_in(line)) ||
                          std::any_of(allowed_.begin(), allowed_.end(), is_in(line));
    EXPECT_TRUE(!is_bad || is_known) << "unexpected in " << source << ": " << line;
  }
}

void DaemonProcess::finish() {
  const bool is_back = eventually([this] { return open_descriptors() <= descriptors_at_start_; });
  EXPECT_TRUE(is_back) << open_descriptors() << " descriptors are open, there were "
                       << descriptors_at_start_ << " at the start" << everything_said();
  signal(SIGTERM);
  finish_stopped();
}

void DaemonProcess::finish_stopped(int exit_code) {
  is_finished_ = true;
  const std::optional<int> code = wait();
  ASSERT_TRUE(code) << "echod does not stop" << everything_said();
  EXPECT_EQ(*code, exit_code) << everything_said();
  const std::vector<std::string> log = log_lines();
  const std::vector<std::string> err = err_lines();
  check_lines(log, "the log");
  check_lines(err, "stderr");
  for (const std::string& text : expected_) {
    EXPECT_GT(count_containing(log, text) + count_containing(err, text), 0U)
        << "never logged: " << text << everything_said();
  }
}

ChildResult run_echod(const std::vector<std::string>& arguments, const std::string& directory) {
  ChildOptions options;
  options.arguments = {ECHOD_BINARY};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.directory = directory;
  return run(options);
}

}  // namespace echod::test
