// What echod says to the service manager that started it: sd_notify(3), WATCHDOG_USEC of
// sd_watchdog_enabled(3). Without one (no $NOTIFY_SOCKET) all of it is silent.
//
// Thread-safety: one thread, the service's. A message may wait for the manager, so workers send
// none.
#pragma once

#include <chrono>
#include <string>

namespace echod {

class ServiceManager {
 public:
  ServiceManager();

  // Whether there is one.
  [[nodiscard]] bool is_there() const noexcept { return is_there_; }
  // Within this time it wants to hear alive(), again and again; 0: never.
  [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

  // READY=1: serving, for the first time or after reloading().
  void ready(const std::string& status);
  // The same without a status.
  void ready() noexcept { send("READY=1"); }
  // RELOADING=1, with the time that systemd 253 and later insist on.
  void reloading();
  // STOPPING=1. Allocates nothing, like all that is noexcept: the end must not fail for memory.
  void stopping() noexcept;
  // STATUS=, for systemctl status; sent when it is another than the last.
  void status(const std::string& status);
  // WATCHDOG=1.
  void alive() noexcept;
  // EXTEND_TIMEOUT_USEC=: this long, from now on, is not too long for stopping.
  void extend_timeout(std::chrono::microseconds time) noexcept;
  // STATUS= and ERRNO=: why the process is about to end. `error` is 0 where no call failed.
  static void failed(const char* line, int error) noexcept;

 private:
  void send(const char* message) noexcept;

  bool is_there_;
  bool is_failing_ = false;  // The last message did not reach it.
  std::chrono::microseconds watchdog_{0};
  std::string status_;
};

}  // namespace echod
