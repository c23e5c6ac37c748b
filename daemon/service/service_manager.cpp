#include "service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>
#include <cstdlib>

#include "clock.hpp"

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
  send("READY=1\nSTATUS=" + status);
}

void ServiceManager::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      sys::MonotonicClock::now().time_since_epoch());
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void ServiceManager::stopping(const std::string& status) {
  status_ = status;
  send("STOPPING=1\nSTATUS=" + status);
}

void ServiceManager::status(const std::string& status) {
  if (status != status_) {
    status_ = status;
    send("STATUS=" + status);
  }
}

void ServiceManager::alive() {
  if (watchdog_.count() > 0) {
    send("WATCHDOG=1");
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds time) {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(time.count()));
}

void ServiceManager::failed(const std::string& line, int error) {
  const std::string number = error != 0 ? "\nERRNO=" + std::to_string(error) : "";
  (void)sd_notify(0, ("STATUS=" + line + number).c_str());
}

// It may be gone, or take no more: the service goes on without it.
void ServiceManager::send(const std::string& message) const {
  if (is_there_) {
    (void)sd_notify(0, message.c_str());
  }
}

}  // namespace echod
