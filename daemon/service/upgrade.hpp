// Replaces the running program in the same process by the file that is now at its path
// (docs/upgrade.md). Connections stay open; clients see a pause. A connection is lost only if the
// new program has no memory for it or cannot register it with epoll.
//
//   idle --begin()--> checking --accepted--> parking --all workers are parked--> the new program
//   checking, parking --refused, failed--> idle, on_failed()
//   checking --cancel()--> cancelling --the child is killed, or 1 s--> idle
//   parking --cancel()--> idle
//
// Checking: a child process of the new program reads the configuration and the state of the
// service. Nothing is touched until it has accepted both. Parking: the workers stop. Then the state
// is written, and execve(2) starts the new program. If any of these steps fails, execve(2) too, the
// workers resume as if nothing had happened.
//
// Thread-safety: all members must be called from the loop's thread, the main thread. Only
// Hooks::before_exec may block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "loop/timer.hpp"
#include "service/background_task.hpp"
#include "sys/event_fd.hpp"
#include "upgrade/program_check.hpp"
#include "upgrade/program_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

class Upgrade {
 public:
  // How an upgrade ended that did not replace the program.
  enum class Result : std::uint8_t {
    refused,  // The new program did not start, or refused the configuration or the state.
    failed,   // A worker did not park, or a system call failed.
  };

  struct Hooks {
    // Returns everything about the service except its workers and connections. May throw.
    std::function<ServiceState()> describe;
    // The new program is about to run: queued lines and messages should be written.
    std::function<void()> before_exec;
    // `why` is one line; empty if there was not enough memory. Must not throw.
    std::function<void(Result result, std::string why)> on_failed;
  };

  // The new program has this time to check the configuration and the state.
  static constexpr std::chrono::seconds kCheckTime{10};
  // The workers have this time to park. A worker parks when its current turn ends.
  static constexpr std::chrono::seconds kParkTime{2};
  // A child that is cancelled is killed within this time, unless a disk hangs.
  static constexpr std::chrono::seconds kCancelTime{1};

  // The references must outlive it. Throws std::bad_alloc, std::system_error.
  Upgrade(EventLoop& loop, Workers& workers, const ProgramFile& program, Hooks hooks);

  // Starts an upgrade. No-op if one is in progress.
  void begin() noexcept;
  // Cancels the upgrade because the service stops. Does not call on_failed(). A program that is
  // being checked is killed; wait while is_cancelling(), or it may outlive this process.
  void cancel() noexcept;
  [[nodiscard]] bool is_cancelling() const noexcept { return phase_ == Phase::cancelling; }
  [[nodiscard]] bool is_in_progress() const noexcept {
    return phase_ == Phase::checking || phase_ == Phase::parking;
  }
  // In describe(): true if the state is for the new program, false if it is for a check.
  [[nodiscard]] bool is_parking() const noexcept { return phase_ == Phase::parking; }
  // While true, the destructor blocks: a process that must exit now has to skip destructors.
  [[nodiscard]] bool is_checking() const noexcept { return check_.is_running(); }

  // One of the workers is parked. Any thread.
  void on_worker_parked() noexcept { parked_.notify(); }

 private:
  enum class Phase : std::uint8_t { idle, checking, parking, cancelling };

  // Calls `step`; if it throws, the upgrade fails.
  void attempt(void (Upgrade::*step)()) noexcept;
  void start_check();
  void on_checked() noexcept;
  void on_parked() noexcept;
  void on_deadline() noexcept;
  void replace();
  void fail(Result result, std::string why) noexcept;

  Workers& workers_;
  EventLoop& loop_;
  const ProgramFile& program_;
  const Hooks hooks_;
  Phase phase_ = Phase::idle;
  std::chrono::milliseconds park_began_{0};  // Of CLOCK_MONOTONIC.
  sys::EventFd cancel_check_;                // Becomes readable when the check is cancelled.
  CheckResult checked_;                      // Owned by the thread of check_ while it runs.
  Notifier parked_;
  Timer deadline_;  // Of parking, or of cancelling.
  BackgroundTask check_;
};

}  // namespace echod
