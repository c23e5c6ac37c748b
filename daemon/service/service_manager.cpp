#include "service/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

namespace echod {

namespace {

constexpr std::chrono::milliseconds kFlushTimeout{100};
constexpr sys::TimePoint kNoWait = sys::LocalSender::kNoWait;

std::string_view notify_socket() noexcept {
  const char* const name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  return name != nullptr ? name : "";
}

}  // namespace

ServiceManager::ServiceManager() : sender_(notify_socket()) {
  std::uint64_t microseconds = 0;
  if (is_present() && sd_watchdog_enabled(0, &microseconds) > 0) {
    watchdog_ = std::chrono::microseconds(microseconds);
  }
}

std::string_view ServiceManager::unusable_name() const noexcept {
  return is_present() ? "" : notify_socket();
}

void ServiceManager::ready(const std::string& status) {
  const std::string message = "READY=1\nSTATUS=" + status;
  send_again();
  if (has_unsent() || !send(message, kNoWait)) {
    ready();  // Without the status: the next status() sends it.
    return;
  }
  status_ = status;
}

void ServiceManager::reloading() noexcept {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      sys::MonotonicClock::now().time_since_epoch());
  queue(Kind::reloading, now.count());
}

void ServiceManager::status(const std::string& status) {
  send_again();
  if (status != status_ && !has_unsent() && send("STATUS=" + status, kNoWait)) {
    status_ = status;
  }
}

void ServiceManager::alive() noexcept {
  if (watchdog_.count() > 0) {
    queue(Kind::watchdog);
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds time) noexcept {
  queue(Kind::extend_timeout, time.count());
}

void ServiceManager::flush() noexcept {
  send_unsent(sys::MonotonicClock::now() + kFlushTimeout);
}

void ServiceManager::failed(std::string_view line, int error) noexcept {
  try {
    const std::string number = error != 0 ? "\nERRNO=" + std::to_string(error) : "";
    (void)send("STATUS=" + std::string(line) + number, sys::MonotonicClock::now() + kFlushTimeout);
  } catch (const std::bad_alloc&) {
    return;  // The exit code and standard error report it too.
  }
}

void ServiceManager::queue(Kind kind, std::intmax_t microseconds) noexcept {
  const auto is_of_this_kind = [kind](const Message& message) { return message.kind == kind; };
  auto* const end =
      std::remove_if(unsent_.begin(), unsent_.begin() + unsent_count_, is_of_this_kind);
  *end = {.kind = kind, .microseconds = microseconds};
  unsent_count_ = static_cast<std::size_t>(end + 1 - unsent_.begin());
  send_again();
}

void ServiceManager::send_unsent(sys::TimePoint deadline) noexcept {
  constexpr std::array<const char*, kKinds> kTexts{"READY=1", "RELOADING=1\nMONOTONIC_USEC=%jd",
                                                   "STOPPING=1\nSTATUS=draining",
                                                   "EXTEND_TIMEOUT_USEC=%jd", "WATCHDOG=1"};
  while (unsent_count_ > 0) {
    const Message& oldest = unsent_.front();
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(), kTexts.at(static_cast<std::size_t>(oldest.kind)),
                        oldest.microseconds);
    if (!send(text.data(), deadline)) {
      return;
    }
    std::rotate(unsent_.begin(), unsent_.begin() + 1, unsent_.end());
    --unsent_count_;
  }
}

// A failed send is not fatal: the manager may have ended, or may be restarting.
bool ServiceManager::send(std::string_view message, sys::TimePoint deadline) noexcept {
  if (!is_present()) {
    return true;
  }
  const sys::IoResult sent = sender_.send(message, deadline);
  const bool is_full = sent.would_block() || sent.error() == ENOBUFS || sent.error() == ENOMEM;
  if (sent.ok()) {
    is_failing_ = false;
  } else if (!is_full && !std::exchange(is_failing_, true)) {
    error_ = sent.error();
  }
  return sent.ok();
}

}  // namespace echod
