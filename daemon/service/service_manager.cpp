#include "service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "clock.hpp"
#include "stderr_sink.hpp"

namespace echod {

namespace {

std::string_view notify_socket() {
  const char* const name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  return name != nullptr ? name : "";
}

}  // namespace

ServiceManager::ServiceManager() : sender_(notify_socket()) {
  std::uint64_t microseconds = 0;
  if (is_there() && sd_watchdog_enabled(0, &microseconds) > 0) {
    watchdog_ = std::chrono::microseconds(microseconds);
  }
}

void ServiceManager::ready(const std::string& status) {
  if (send("READY=1\nSTATUS=" + status)) {
    status_ = status;
  }
}

void ServiceManager::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      sys::MonotonicClock::now().time_since_epoch());
  (void)send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void ServiceManager::status(const std::string& status) {
  if (status != status_ && send("STATUS=" + status)) {
    status_ = status;
  }
}

void ServiceManager::alive() noexcept {
  if (watchdog_.count() > 0) {
    (void)send("WATCHDOG=1");
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds time) noexcept {
  constexpr std::size_t kNameAndNumber = 48;
  std::array<char, kNameAndNumber> message{};
  (void)std::snprintf(message.data(), message.size(), "EXTEND_TIMEOUT_USEC=%jd",
                      std::intmax_t{time.count()});
  (void)send(message.data());
}

void ServiceManager::failed(std::string_view line, int error) noexcept {
  try {
    const std::string number = error != 0 ? "\nERRNO=" + std::to_string(error) : "";
    (void)send("STATUS=" + std::string(line) + number);
  } catch (const std::bad_alloc&) {
    return;  // The exit code tells it, and standard error.
  }
}

// It may be gone: the service goes on without it, and says so once.
bool ServiceManager::send(std::string_view message) noexcept {
  if (!is_there()) {
    return false;
  }
  const sys::IoResult sent = sender_.send(message);
  if (!sent.ok() && !std::exchange(is_failing_, true)) {
    report_on_stderr(sys::error_text(sent.error()), "echod: cannot reach the service manager: ");
  } else if (sent.ok()) {
    is_failing_ = false;
  }
  return sent.ok();
}

}  // namespace echod
