#include "service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>
#include <cstdlib>

#include "clock.hpp"

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
  if (status.empty()) {
    (void)sender_.send("READY=1");
  } else {
    send_status("READY=1\n", status);
  }
}

void ServiceManager::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      sys::MonotonicClock::now().time_since_epoch());
  (void)sender_.send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void ServiceManager::stopping(const std::string& status) {
  send_status("STOPPING=1\n", status);
}

void ServiceManager::status(const std::string& status) {
  if (status != status_) {
    send_status("", status);
  }
}

void ServiceManager::alive() {
  if (watchdog_.count() > 0) {
    (void)sender_.send("WATCHDOG=1");
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds time) {
  (void)sender_.send("EXTEND_TIMEOUT_USEC=" + std::to_string(time.count()));
}

void ServiceManager::failed(std::string_view line, int error) const {
  const std::string number = error != 0 ? "\nERRNO=" + std::to_string(error) : "";
  (void)sender_.send("STATUS=" + std::string(line) + number);
}

// The manager may be gone: the service goes on without it.
void ServiceManager::send_status(const std::string& prefix, const std::string& status) {
  if (sender_.send(prefix + "STATUS=" + status)) {
    status_ = status;
  }
}

}  // namespace echod
