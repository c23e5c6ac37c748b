#include "client/late_stops.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

namespace echod::client {

namespace {

StopRequests stop_requests;  // Used only by the handler once that is installed.

void on_signal(int signal) noexcept {
  if (stop_requests.on_signal(sys::MonotonicClock::now()) == StopRequest::now) {
    (void)std::signal(signal, SIG_DFL);
    (void)raise(signal);  // Delivered when this handler returns, because it is blocked until then.
  }
}

void require(int returned, const char* call) {
  if (returned != 0) {
    throw std::system_error(errno, std::system_category(), call);
  }
}

}  // namespace

void end_process_on_repeated_stop(const StopRequests& stops) {
  stop_requests = stops;
  struct sigaction action {};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART;  // A duplicate must not interrupt a write.
  require(sigemptyset(&action.sa_mask), "sigemptyset");
  for (const int signal : {SIGINT, SIGTERM}) {
    require(sigaddset(&action.sa_mask, signal), "sigaddset");
  }
  for (const int signal : {SIGINT, SIGTERM}) {
    require(sigaction(signal, &action, nullptr), "sigaction");
  }
  if (const int error = pthread_sigmask(SIG_UNBLOCK, &action.sa_mask, nullptr); error != 0) {
    throw std::system_error(error, std::system_category(), "pthread_sigmask");
  }
}

}  // namespace echod::client
