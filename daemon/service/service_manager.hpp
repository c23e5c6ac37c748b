// Sends notifications to the service manager: the protocol of sd_notify(3), with the watchdog of
// sd_watchdog_enabled(3). Without $NOTIFY_SOCKET all functions are no-ops.
//
// A message that the manager's socket does not accept is queued, and send_again() retries it. The
// queue holds one message of each kind: a newer message replaces an older one of its kind. STATUS=
// is not queued.
//
// The socket is opened once. sd_notify() would open one for each message, which fails while echod
// drains and its connections use all descriptors.
//
// Thread-safety: one thread, the service's. Only flush() and failed() may block. The noexcept
// functions allocate nothing, except failed(), which sends nothing if memory runs out.
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
  // Opens a socket to $NOTIFY_SOCKET. Throws std::system_error if no socket can be opened.
  ServiceManager();

  // Returns true if $NOTIFY_SOCKET names a socket that echod can send to.
  [[nodiscard]] bool is_present() const noexcept { return sender_.is_open(); }
  // Returns $NOTIFY_SOCKET if it is set to an unusable name; else an empty string.
  [[nodiscard]] std::string_view unusable_name() const noexcept;
  // The manager's watchdog timeout: alive() must be called more often. 0: there is no watchdog.
  [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

  // READY=1: the service is up, or the reload has ended.
  void ready(const std::string& status);
  // READY=1 without a status.
  void ready() noexcept { queue(Kind::ready); }
  // RELOADING=1, with the time of this call, which systemd 253 and later require.
  void reloading() noexcept;
  // STOPPING=1.
  void stopping() noexcept { queue(Kind::stopping); }
  // STATUS=, shown by `systemctl status`. Sent only if it has changed.
  void status(const std::string& status);
  // WATCHDOG=1. No-op without a watchdog.
  void alive() noexcept;
  // EXTEND_TIMEOUT_USEC=: the manager should allow `time` more from now on.
  void extend_timeout(std::chrono::microseconds time) noexcept;

  // Whether messages are queued. If so, the caller should call send_again() after kRetryInterval.
  [[nodiscard]] bool has_unsent() const noexcept { return unsent_count_ > 0; }
  static constexpr std::chrono::milliseconds kRetryInterval{100};
  void send_again() noexcept { send_unsent(sys::LocalSender::kNoWait); }
  // Sends the queued messages before the process ends. Blocks for at most 100 ms.
  void flush() noexcept;
  // STATUS= and ERRNO=: why the process is about to end. `error` is 0 if no call failed. Blocks for
  // at most 100 ms.
  void failed(std::string_view line, int error) noexcept;

  // Returns the errno of a failed send and clears it. It is set once, until a send succeeds again.
  // 0: no new failure. A full socket is not a failure.
  [[nodiscard]] int take_error() noexcept { return std::exchange(error_, 0); }

 private:
  enum class Kind : std::uint8_t { ready, reloading, stopping, extend_timeout, watchdog };
  static constexpr std::size_t kKinds = 5;
  struct Message {
    Kind kind = Kind::ready;
    std::intmax_t microseconds = 0;  // Used by reloading and extend_timeout.
  };

  void queue(Kind kind, std::intmax_t microseconds = 0) noexcept;
  void send_unsent(sys::TimePoint deadline) noexcept;
  // Returns false if the message must be sent again.
  bool send(std::string_view message, sys::TimePoint deadline) noexcept;

  sys::LocalSender sender_;
  std::chrono::microseconds watchdog_{0};
  std::string status_;                    // The last one that was sent.
  std::array<Message, kKinds> unsent_{};  // Oldest first.
  std::size_t unsent_count_ = 0;
  bool is_failing_ = false;  // Since a send failed, none has succeeded.
  int error_ = 0;            // For take_error().
};

}  // namespace echod
