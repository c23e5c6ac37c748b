// What echod says to the service manager that started it: the protocol of sd_notify(3), and
// WATCHDOG_USEC of sd_watchdog_enabled(3). Without one (no $NOTIFY_SOCKET) all of it is silent.
//
// sd_notify() itself opens a socket for each message. Here one is kept, because echod has most to
// say while it drains, and then its clients may have all descriptors.
//
// What is noexcept allocates nothing, but for failed(), which says nothing without memory: neither
// the end nor the watchdog may fail for want of it.
//
// Thread-safety: one thread, the service's. A message may wait for the manager, so workers send
// none.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "local_sender.hpp"

namespace echod {

class ServiceManager {
 public:
  // Throws std::system_error if there is one, but no descriptor to reach it.
  ServiceManager();

  // Whether there is one.
  [[nodiscard]] bool is_there() const noexcept { return sender_.is_open(); }
  // Within this time it wants to hear alive(), again and again; 0: never.
  [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

  // READY=1: serving, for the first time or after reloading().
  void ready(const std::string& status);
  // The same without a status.
  void ready() noexcept { (void)send("READY=1"); }
  // RELOADING=1, with the time that systemd 253 and later insist on.
  void reloading();
  // STOPPING=1.
  void stopping() noexcept { (void)send("STOPPING=1\nSTATUS=draining"); }
  // STATUS=, for systemctl status; sent when it is another than the last.
  void status(const std::string& status);
  // WATCHDOG=1.
  void alive() noexcept;
  // EXTEND_TIMEOUT_USEC=: this long, from now on, is not too long for stopping.
  void extend_timeout(std::chrono::microseconds time) noexcept;
  // STATUS= and ERRNO=: why the process is about to end. `error` is 0 where no call failed.
  void failed(std::string_view line, int error) noexcept;

 private:
  [[nodiscard]] bool send(std::string_view message) noexcept;

  sys::LocalSender sender_;
  std::chrono::microseconds watchdog_{0};
  std::string status_;       // That the manager knows.
  bool is_failing_ = false;  // The last message did not reach it.
};

}  // namespace echod
