#include "service/reload_request.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>

#include "service/exit_codes.hpp"
#include "sys/clock.hpp"
#include "sys/signal_fd.hpp"

namespace echod {

namespace {

constexpr std::chrono::minutes kAnswerTimeout{1};  // Shorter than TimeoutStartSec= of systemd.
constexpr int kAnswerSignal = SIGURG;
constexpr int kApplied = 1;
constexpr int kRefused = 2;

std::string name_of(pid_t pid) {
  return "process " + std::to_string(pid);
}

// An error with errno of the call that has just failed.
StartupError failure(const std::string& what) {
  const int error = errno;
  return {ExitCode::system, what + ": " + std::system_category().message(error), error};
}

// If /proc is hidden, the caller is not root or already runs as that user.
void switch_to_user_of(pid_t pid) {
  struct stat status {};
  const bool is_known =
      ::geteuid() == 0 && ::stat(("/proc/" + std::to_string(pid)).c_str(), &status) == 0;
  if (is_known && ::setuid(status.st_uid) != 0) {
    throw failure("cannot switch to the user of " + name_of(pid));
  }
}

void send(pid_t pid, int signal, int value) {
  const sigval data{.sival_int = value};
  if (::sigqueue(pid, signal, data) != 0) {
    throw failure("cannot signal " + name_of(pid));
  }
}

}  // namespace

void request_reload(pid_t pid) {
  sys::block_signals({kAnswerSignal});
  switch_to_user_of(pid);
  send(pid, SIGHUP, 0);
  sigset_t answers;
  sigemptyset(&answers);
  sigaddset(&answers, kAnswerSignal);
  const sys::TimePoint deadline = sys::MonotonicClock::now() + kAnswerTimeout;
  while (sys::MonotonicClock::now() < deadline && ::kill(pid, 0) == 0) {
    constexpr timespec kPollInterval{.tv_sec = 1, .tv_nsec = 0};  // Then checks that it still runs.
    siginfo_t info{};
    if (::sigtimedwait(&answers, &info, &kPollInterval) != kAnswerSignal ||
        info.si_code != SI_QUEUE) {
      continue;
    }
    if (info.si_value.sival_int == kApplied) {
      return;
    }
    throw StartupError(ExitCode::configuration,
                       name_of(pid) + " refused the reload; its log says why");
  }
  throw StartupError(ExitCode::system,
                     name_of(pid) + " has ended, or did not answer within a minute");
}

pid_t requester_of(const signalfd_siginfo& hangup) noexcept {
  return hangup.ssi_code == SI_QUEUE ? static_cast<pid_t>(hangup.ssi_pid) : 0;
}

void answer_reload(pid_t requester, bool is_applied) noexcept {
  if (requester > 0) {
    const sigval data{.sival_int = is_applied ? kApplied : kRefused};
    (void)::sigqueue(requester, kAnswerSignal, data);  // Fails if it has ended.
  }
}

}  // namespace echod
