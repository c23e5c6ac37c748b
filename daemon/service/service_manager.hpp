// What echod says to the service manager that started it: the protocol of sd_notify(3), and
// WATCHDOG_USEC of sd_watchdog_enabled(3). Without one (no $NOTIFY_SOCKET) all of it is silent.
//
// Nothing here waits for the manager, except flush() and failed(). A message that the manager
// does not take is kept, and send_again() sends it. There is a place for one message of each kind:
// a newer one replaces the older. STATUS= is not kept.
//
// sd_notify() itself opens a socket for each message. Here one is kept, because echod has most to
// say while it drains, and then its clients may have all descriptors.
//
// What is noexcept needs no memory, except failed(), which says nothing without memory.
//
// Thread-safety: one thread, the service's.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sys/clock.hpp"
#include "sys/local_sender.hpp"

namespace echod {

class ServiceManager {
 public:
  // Throws std::system_error if there is one, but no descriptor to reach it.
  ServiceManager();

  // Whether there is one.
  [[nodiscard]] bool is_there() const noexcept { return sender_.is_open(); }
  // $NOTIFY_SOCKET, if it is set to what echod cannot use; else empty.
  [[nodiscard]] std::string_view unusable_name() const noexcept;
  // Within this time it wants to hear alive(), again and again; 0: never.
  [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

  // READY=1: serving, for the first time or after reloading().
  void ready(const std::string& status);
  // The same without a status.
  void ready() noexcept { keep(Kind::ready); }
  // RELOADING=1, with the time of this call, which systemd 253 and later insist on.
  void reloading() noexcept;
  // STOPPING=1.
  void stopping() noexcept { keep(Kind::stopping); }
  // STATUS=, for systemctl status; sent when it is another than the last.
  void status(const std::string& status);
  // WATCHDOG=1.
  void alive() noexcept;
  // EXTEND_TIMEOUT_USEC=: this long, from now on, is not too long for stopping.
  void extend_timeout(std::chrono::microseconds time) noexcept;

  // Whether messages are kept, and how soon send_again() should be called.
  [[nodiscard]] bool has_unsent() const noexcept { return unsent_count_ > 0; }
  static constexpr std::chrono::milliseconds kRetryInterval{100};
  void send_again() noexcept { send_unsent(sys::LocalSender::kNoWait); }
  // Sends what is kept; waits at most 100 ms for the manager. For the end of the process.
  void flush() noexcept;
  // STATUS= and ERRNO=: why the process is about to end. `error` is 0 where no call failed. Waits
  // at most 100 ms.
  void failed(std::string_view line, int error) noexcept;

  // Why the manager cannot be reached: an errno, once until it can be reached again; else 0.
  [[nodiscard]] int take_error() noexcept { return std::exchange(error_, 0); }

 private:
  enum class Kind : std::uint8_t { ready, reloading, stopping, extend_timeout, watchdog };
  static constexpr std::size_t kKinds = 5;
  struct Message {
    Kind kind = Kind::ready;
    std::intmax_t microseconds = 0;  // Of reloading and extend_timeout.
  };

  void keep(Kind kind, std::intmax_t microseconds = 0) noexcept;
  void send_unsent(sys::TimePoint deadline) noexcept;
  // Whether the message need not be sent again.
  bool send(std::string_view message, sys::TimePoint deadline) noexcept;

  sys::LocalSender sender_;
  std::chrono::microseconds watchdog_{0};
  std::string status_;                    // That the manager knows.
  std::array<Message, kKinds> unsent_{};  // The oldest first.
  std::size_t unsent_count_ = 0;
  bool is_failing_ = false;  // The last message did not reach it.
  int error_ = 0;
};

}  // namespace echod
