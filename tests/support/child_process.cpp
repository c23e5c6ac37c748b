#include "child_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace echod::test {

namespace {

constexpr int kCannotStart = 127;
constexpr std::size_t kChunk = 65536;

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::system_category(), "pipe2");
  }
  return {.read = ends[0], .write = ends[1]};
}

void close_if_open(int& fd) {
  if (fd >= 0) {
    (void)close(std::exchange(fd, -1));
  }
}

// Writes until a write would block.
void fill_pipe(int fd) {
  const std::vector<char> chunk(kChunk, '\n');
  (void)fcntl(fd, F_SETFL, O_NONBLOCK);
  while (write(fd, chunk.data(), chunk.size()) > 0) {
  }
  (void)fcntl(fd, F_SETFL, 0);
}

// The value for $JOURNAL_STREAM: "device:inode" (systemd.exec(5)).
std::string stream_name(int fd) {
  struct stat status {};
  (void)fstat(fd, &status);
  return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

constexpr std::string_view kListenPid = "LISTEN_PID=";
constexpr int kFirstPassed = 3;

// Writes the process ID into "LISTEN_PID=...", which has space for it. Runs in the child between
// fork and exec, like become().
void write_listen_pid(char* variable) {
  constexpr std::size_t kRoom = 10;
  char* const digits = variable + kListenPid.size();
  *std::to_chars(digits, digits + kRoom, getpid()).ptr = '\0';
}

// Variables that the test itself may have from a service manager; the child must not inherit them.
bool is_of_a_service_manager(std::string_view variable) {
  return variable.starts_with("NOTIFY_SOCKET=") || variable.starts_with("LISTEN_") ||
         variable.starts_with("WATCHDOG_");
}

// Duplicates the descriptors to numbers that are higher than those they get in the child.
std::vector<int> out_of_the_way(const std::vector<int>& descriptors) {
  constexpr int kFirst = 100;
  std::vector<int> copies;
  copies.reserve(descriptors.size());
  for (const int descriptor : descriptors) {
    copies.push_back(fcntl(descriptor, F_DUPFD_CLOEXEC, kFirst));
  }
  return copies;
}

// Runs in the child between fork and exec, so it makes only calls that are safe there.
[[noreturn]] void become(const ChildOptions& options, char* const* arguments,
                         char* const* environment, const std::vector<int>& passed, int in, int out,
                         int err) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)pthread_sigmask(SIG_SETMASK, &none, nullptr);
  (void)std::signal(SIGPIPE, SIG_DFL);  // NOLINT(concurrency-mt-unsafe)
  bool is_ready =
      dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0;
  int next = kFirstPassed;
  for (const int descriptor : passed) {
    is_ready = is_ready && dup2(descriptor, next++) >= 0;
  }
  (void)close_range(static_cast<unsigned>(next), UINT_MAX,
                    0);  // Descriptors that the test itself inherited.
  is_ready = is_ready && (options.directory.empty() || chdir(options.directory.c_str()) == 0);
  for (const auto& [resource, limit] : options.limits) {
    is_ready = is_ready && setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
  }
  if (options.user) {
    is_ready = is_ready && setgroups(0, nullptr) == 0 && setgid(*options.user) == 0 &&
               setuid(*options.user) == 0;
  }
  if (options.closes_standard) {
    is_ready = is_ready && close_range(STDIN_FILENO, STDERR_FILENO, 0) == 0;
  }
  if (is_ready) {
    (void)execvpe(arguments[0], arguments, environment);
  }
  _exit(kCannotStart);
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  Pipe in = options.has_stdin ? make_pipe()
                              : Pipe{.read = open("/dev/null", O_RDONLY | O_CLOEXEC), .write = -1};
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  if (options.blocks_stderr) {
    fill_pipe(err.write);
  }
  std::vector<std::string> argument_texts = options.arguments;
  std::vector<std::string> environment_texts = options.environment;
  if (options.names_journal) {
    environment_texts.push_back("JOURNAL_STREAM=" + stream_name(err.write));
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_of_a_service_manager(*variable)) {
      environment_texts.emplace_back(*variable);  // Behind ours: getenv(3) finds the first.
    }
  }
  if (!options.passes.empty()) {
    environment_texts.push_back("LISTEN_FDS=" + std::to_string(options.passes.size()));
    environment_texts.push_back(std::string(kListenPid) + "0000000000");
  }
  char* const listen_pid = options.passes.empty() ? nullptr : environment_texts.back().data();
  const std::vector<char*> arguments = pointers_to(argument_texts);
  const std::vector<char*> environment = pointers_to(environment_texts);

  std::vector<int> passed = out_of_the_way(options.passes);
  pid_ = fork();
  if (pid_ == 0) {
    if (listen_pid != nullptr) {
      write_listen_pid(listen_pid);
    }
    become(options, arguments.data(), environment.data(), passed,
           options.stdin_from.value_or(in.read), out.write, options.stderr_to.value_or(err.write));
  }
  std::for_each(passed.begin(), passed.end(), close_if_open);
  close_if_open(in.read);
  close_if_open(out.write);
  close_if_open(err.write);
  if (options.closes_stderr) {
    close_if_open(err.read);
  }
  stdin_ = in.write;
  stdout_ = out.read;
  stderr_ = err.read;
  if (pid_ < 0) {
    throw std::system_error(errno, std::system_category(), "fork");
  }
  stop_ = eventfd(0, EFD_CLOEXEC);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  collector_ = std::thread([this, with_stderr = !options.blocks_stderr] { collect(with_stderr); });
}

ChildProcess::~ChildProcess() {
  if (!exit_code_ && waitpid(pid_, nullptr, WNOHANG) == 0) {
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }
  close_stdin();
  (void)eventfd_write(stop_, 1);  // A descendant of the child may still hold the pipes open.
  collector_.join();
  close_if_open(stop_);
  close_if_open(stdout_);
  close_if_open(stderr_);
  close_if_open(pidfd_);
}

// Runs in the collector's thread; reads both pipes to their end.
void ChildProcess::collect(bool with_stderr) {
  std::array<pollfd, 3> watched{{{.fd = stdout_, .events = POLLIN, .revents = 0},
                                 {.fd = with_stderr ? stderr_ : -1, .events = POLLIN, .revents = 0},
                                 {.fd = stop_, .events = POLLIN, .revents = 0}}};
  const std::span<pollfd> sources = std::span(watched).first(2);
  std::vector<char> buffer(kChunk);
  while ((sources[0].fd >= 0 || sources[1].fd >= 0) && watched[2].revents == 0) {
    (void)poll(watched.data(), watched.size(), -1);
    for (pollfd& source : sources) {
      if (source.fd < 0 || source.revents == 0) {
        continue;
      }
      const ssize_t count = read(source.fd, buffer.data(), buffer.size());
      if (count <= 0) {
        source.fd = -1;
        continue;
      }
      const std::lock_guard lock(mutex_);
      (&source == &sources.front() ? out_ : err_)
          .append(buffer.data(), static_cast<std::size_t>(count));
      changed_.notify_all();
    }
  }
  const std::lock_guard lock(mutex_);
  is_at_end_ = true;
  changed_.notify_all();
}

void ChildProcess::signal(int number) const {
  if (exit_code_ || kill(pid_, number) != 0) {
    throw std::runtime_error("signal " + std::to_string(number) + " to a process that has ended");
  }
}

void ChildProcess::write_stdin(const std::string& text) const {
  if (write(stdin_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::system_error(errno, std::system_category(), "write to a child's stdin");
  }
}

void ChildProcess::close_stdin() {
  close_if_open(stdin_);
}

std::string ChildProcess::out() {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string ChildProcess::err() {
  const std::lock_guard lock(mutex_);
  return err_;
}

bool ChildProcess::wait_for_err(const std::function<bool(const std::string&)>& is_enough,
                                const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  (void)changed_.wait_for(lock, std::chrono::milliseconds(deadline.left_ms()),
                          [&] { return is_at_end_ || is_enough(err_); });
  return is_enough(err_);
}

std::optional<int> ChildProcess::wait(const Deadline& deadline) {
  pollfd end{.fd = pidfd_, .events = POLLIN, .revents = 0};
  int status = 0;
  while (!exit_code_ && waitpid(pid_, &status, WNOHANG) != pid_) {
    if (deadline.has_passed()) {
      return std::nullopt;
    }
    (void)poll(&end, 1, deadline.left_ms());
  }
  if (!exit_code_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::unique_lock lock(mutex_);
  (void)changed_.wait_for(lock, kPatience, [this] { return is_at_end_; });
  return exit_code_;
}

bool ChildProcess::is_running() {
  return !wait(Deadline(std::chrono::milliseconds(0))).has_value();
}

ChildResult run(const ChildOptions& options) {
  ChildProcess child(options);
  const std::optional<int> exit_code = child.wait();
  if (!exit_code) {
    throw std::runtime_error(options.arguments.front() + " did not end; stderr:\n" + child.err());
  }
  return {.exit_code = *exit_code, .out = child.out(), .err = child.err()};
}

bool is_installed(const std::string& program) {
  const char* const folders = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  std::istringstream path(folders != nullptr ? folders : "");
  std::string directory;
  while (std::getline(path, directory, ':')) {
    if (access((std::filesystem::path(directory) / program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace echod::test
