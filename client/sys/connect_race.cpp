#include "client/sys/connect_race.hpp"

#include <cerrno>
#include <utility>

#include "client/sys/client_socket.hpp"

namespace echod::sys {

namespace {

class ConnectAttempt final : public RouteAttempt {
 public:
  explicit ConnectAttempt(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  void append_polled(std::vector<pollfd>& polled) const override {
    polled.push_back({.fd = fd_.get(), .events = POLLOUT, .revents = 0});
  }
  [[nodiscard]] int advance(std::span<const pollfd> polled, TimePoint /*now*/) override {
    return polled.front().revents != 0 ? connect_error(fd_.get()) : EINPROGRESS;
  }

 private:
  UniqueFd fd_;
};

std::unique_ptr<RouteAttempt> begin_to_connect(const Route& route, int& error) {
  ConnectResult opened = open_connection(route.server, route.source);
  if (!opened.fd.is_open()) {
    error = opened.error;
    return nullptr;
  }
  return std::make_unique<ConnectAttempt>(std::move(opened.fd));
}

}  // namespace

RaceResult connect_to_first(std::span<const Route> routes, Duration timeout) {
  return race_routes(routes, timeout, begin_to_connect);
}

}  // namespace echod::sys
