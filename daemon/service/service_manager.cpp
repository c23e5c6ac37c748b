#include "service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "clock.hpp"
#include "stderr_sink.hpp"

namespace echod {

ServiceManager::ServiceManager()
    : is_there_(std::getenv("NOTIFY_SOCKET") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
  std::uint64_t microseconds = 0;
  if (is_there_ && sd_watchdog_enabled(0, &microseconds) > 0) {
    watchdog_ = std::chrono::microseconds(microseconds);
  }
}

void ServiceManager::ready(const std::string& status) {
  status_ = status;
  send(("READY=1\nSTATUS=" + status).c_str());
}

void ServiceManager::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      sys::MonotonicClock::now().time_since_epoch());
  send(("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count())).c_str());
}

void ServiceManager::stopping() noexcept {
  status_.clear();
  send("STOPPING=1\nSTATUS=draining");
}

void ServiceManager::status(const std::string& status) {
  if (status != status_) {
    status_ = status;
    send(("STATUS=" + status).c_str());
  }
}

void ServiceManager::alive() noexcept {
  if (watchdog_.count() > 0) {
    send("WATCHDOG=1");
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds time) noexcept {
  constexpr std::size_t kNameAndNumber = 48;
  std::array<char, kNameAndNumber> message{};
  (void)std::snprintf(message.data(), message.size(), "EXTEND_TIMEOUT_USEC=%jd",
                      std::intmax_t{time.count()});
  send(message.data());
}

void ServiceManager::failed(const char* line, int error) noexcept {
  try {
    const std::string number = error != 0 ? "\nERRNO=" + std::to_string(error) : "";
    (void)sd_notify(0, (std::string("STATUS=") + line + number).c_str());
  } catch (const std::bad_alloc&) {
    return;  // It finds that we end; standard error has the reason.
  }
}

// It may be gone, or take no more: the service goes on without it, and says so once.
void ServiceManager::send(const char* message) noexcept {
  const int sent = is_there_ ? sd_notify(0, message) : 0;
  if (sent < 0 && !std::exchange(is_failing_, true)) {
    report_on_stderr(strerrordesc_np(-sent), "echod: cannot reach the service manager: ");
  } else if (sent > 0) {
    is_failing_ = false;
  }
}

}  // namespace echod
