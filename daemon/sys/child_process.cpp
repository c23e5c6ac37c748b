#include "sys/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <span>

#include "sys/invariant.hpp"
#include "sys/process.hpp"
#include "sys/retry_on_eintr.hpp"
#include "sys/unique_fd.hpp"
#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

// Makes the kernel keep ended children until they are waited for. While SIGCHLD is ignored it reaps
// them immediately, and their exit codes are lost.
class KeptChildren {
 public:
  KeptChildren() noexcept {
    struct sigaction action {};
    (void)sigaction(SIGCHLD, nullptr, &action);  // Fails only for signals that do not exist.
    was_ignored_ = action.sa_handler == SIG_IGN;
    if (was_ignored_) {
      (void)std::signal(SIGCHLD, SIG_DFL);  // NOLINT(concurrency-mt-unsafe): as in the header.
    }
  }
  ~KeptChildren() {
    if (was_ignored_) {
      reap_children();  // Also the inherited children that have ended meanwhile.
    }
  }
  KeptChildren(const KeptChildren&) = delete;
  KeptChildren& operator=(const KeptChildren&) = delete;

 private:
  bool was_ignored_ = false;
};

// A pipe whose writing end the child gets.
class OutputPipe {
 public:
  IoResult open() noexcept {
    std::array<int, 2> ends{-1, -1};
    const IoResult opened = IoResult::of(calls::pipe2(ends.data(), O_CLOEXEC));
    read_end_ = UniqueFd::adopt(ends[0]);
    write_end_ = UniqueFd::adopt(ends[1]);
    return opened;
  }
  [[nodiscard]] int write_end() const noexcept { return write_end_.get(); }
  [[nodiscard]] int read_end() const noexcept { return read_end_.get(); }
  void close_write_end() noexcept { write_end_.reset(); }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

// The descriptors of the child. An object is needed because posix_spawn(3) allocates its lists.
class ChildDescriptors {
 public:
  ChildDescriptors(int output, int errors, int passed) noexcept {
    note(posix_spawn_file_actions_init(&actions_));
    note(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
    note(posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
    note(posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO));
    // Last, because one of the others may have this number.
    note(posix_spawn_file_actions_adddup2(&actions_, passed, kPassedDescriptor));
    // This process may have inherited descriptors without CLOEXEC.
    note(posix_spawn_file_actions_addclosefrom_np(&actions_, kPassedDescriptor + 1));
  }
  ~ChildDescriptors() { (void)posix_spawn_file_actions_destroy(&actions_); }
  ChildDescriptors(const ChildDescriptors&) = delete;
  ChildDescriptors& operator=(const ChildDescriptors&) = delete;

  // The errno if there was not enough memory, or if a number is above the limit of open files; else
  // 0.
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  void note(int error) noexcept { error_ = error_ != 0 ? error_ : error; }

  posix_spawn_file_actions_t actions_{};
  int error_ = 0;
};

// Starts `program`. Returns the errno, or 0. The errors of the child before it runs the program are
// among them.
int spawn(const PreparedExec& program, const ChildDescriptors& descriptors, pid_t& pid) noexcept {
  sigset_t none;
  sigset_t defaults;
  (void)sigemptyset(&none);
  (void)sigemptyset(&defaults);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGCHLD}) {
    (void)sigaddset(&defaults, signal);
  }
  posix_spawnattr_t attributes;  // These calls cannot fail with these arguments.
  (void)posix_spawnattr_init(&attributes);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
  const int error = posix_spawn(&pid, program.path().c_str(), descriptors.get(), &attributes,
                                program.arguments(), program.environment());
  (void)posix_spawnattr_destroy(&attributes);
  return error;
}

// The function of this name in the C library cannot be linked from C++ before glibc 2.37.
int open_pidfd(pid_t pid) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// A child that was started. Kills it unless it has ended.
class RunningChild {
 public:
  explicit RunningChild(pid_t pid) noexcept : pid_(pid), end_(UniqueFd::adopt(open_pidfd(pid))) {}
  ~RunningChild() {
    if (has_ended_) {
      return;
    }
    // The child is not reaped yet, so no other process has this ID.
    (void)::kill(pid_, SIGKILL);
    // A child that hangs in the kernel, on a dead disk, ends later: then the kernel reaps it.
    constexpr std::chrono::seconds kPatience{1};
    if (end_.is_open()) {
      (void)wait_ready(end_.get(), POLLIN, MonotonicClock::now() + kPatience);
    }
    (void)::waitpid(pid_, nullptr, WNOHANG);
  }
  RunningChild(const RunningChild&) = delete;
  RunningChild& operator=(const RunningChild&) = delete;

  // A pidfd, which is readable once the child has ended. Negative if none could be opened.
  [[nodiscard]] int end() const noexcept { return end_.get(); }
  // Reaps the child, which must have ended.
  void reap(ChildOutcome& outcome) noexcept {
    siginfo_t info{};
    has_ended_ = true;
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0) {
      outcome.failed_call = "waitid";
      outcome.error = errno;
      return;
    }
    (info.si_code == CLD_EXITED ? outcome.exit_code : outcome.signal) = info.si_status;
  }

 private:
  const pid_t pid_;
  const UniqueFd end_;
  bool has_ended_ = false;
};

// Reads what a pipe has. Returns false at its end.
bool read_some(int fd, std::string& block, std::string& text) {
  const IoResult got = retry_on_eintr([&] { return calls::read(fd, block.data(), block.size()); });
  text.append(block, 0, got.count());
  return got.count() > 0;
}

// Collects the output until the child ends, the deadline passes, the output is too long or the call
// is cancelled. Returns whether the child has ended.
bool collect(std::span<pollfd, 4> fds, TimePoint deadline, ChildOutcome& outcome) {
  constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;
  std::string block(kBlockBytes, '\0');
  const std::array<std::string*, 2> texts{&outcome.output, &outcome.errors};
  for (;;) {
    const IoResult ready = wait_ready(fds, deadline);
    if (!ready.ok()) {
      outcome.failed_call = "poll";
      outcome.error = ready.error();
      return false;
    }
    outcome.is_cancelled = fds[3].revents != 0;
    outcome.has_timed_out = MonotonicClock::now() >= deadline;
    bool has_read = false;
    for (std::size_t stream = 0; stream < texts.size(); ++stream) {
      pollfd& pipe = fds[stream + 1];
      if ((pipe.revents & POLLIN) != 0 && read_some(pipe.fd, block, *texts[stream])) {
        has_read = true;
      } else if (pipe.revents != 0) {
        pipe.fd = -1;  // At its end: poll(2) skips it.
      }
    }
    if (outcome.errors.size() > kMostChildErrors) {
      outcome.errors.erase(0, outcome.errors.size() - kMostChildErrors);
    }
    outcome.is_output_cut = outcome.output.size() > kMostChildOutput;
    if (outcome.is_cancelled || outcome.has_timed_out || outcome.is_output_cut) {
      outcome.output.resize(std::min(outcome.output.size(), kMostChildOutput));
      return false;
    }
    // poll(2) checks the pipes after the child. Once it has ended they hold all that it printed.
    if (fds[0].revents != 0 && !has_read) {
      return true;
    }
  }
}

ChildOutcome failure(const char* call, int error) noexcept {
  ChildOutcome outcome;
  outcome.failed_call = call;
  outcome.error = error;
  return outcome;
}

}  // namespace

ChildOutcome run_child(const PreparedExec& program, int passed, TimePoint deadline, int cancel) {
  invariant(passed > STDERR_FILENO, "a child's standard descriptors are not passed to it");
  OutputPipe output;
  OutputPipe errors;
  for (OutputPipe* pipe : {&output, &errors}) {
    const IoResult opened = pipe->open();
    if (!opened.ok()) {
      return failure("pipe2", opened.error());
    }
  }
  const ChildDescriptors descriptors(output.write_end(), errors.write_end(), passed);
  const KeptChildren
      kept;  // Before the child, so that it is reaped before they are no longer kept.
  if (descriptors.error() != 0) {
    return failure("posix_spawn_file_actions", descriptors.error());
  }
  pid_t pid = -1;
  const int error = spawn(program, descriptors, pid);
  if (error != 0) {
    return failure("posix_spawn", error);
  }
  RunningChild child(pid);
  if (child.end() < 0) {
    return failure("pidfd_open", errno);
  }
  output.close_write_end();
  errors.close_write_end();
  std::array<pollfd, 4> fds{{{.fd = child.end(), .events = POLLIN, .revents = 0},
                             {.fd = output.read_end(), .events = POLLIN, .revents = 0},
                             {.fd = errors.read_end(), .events = POLLIN, .revents = 0},
                             {.fd = cancel, .events = POLLIN, .revents = 0}}};
  ChildOutcome outcome;
  if (collect(fds, deadline, outcome)) {
    child.reap(outcome);
  }
  return outcome;
}

}  // namespace echod::sys
