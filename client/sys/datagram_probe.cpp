#include "client/sys/datagram_probe.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include "client/sys/datagram_socket.hpp"
#include "sys/stream_socket.hpp"

namespace echod::sys {

namespace {

constexpr int kProbeBufferBytes = 65536;

class DatagramAttempt final : public RouteAttempt {
 public:
  explicit DatagramAttempt(ClientDatagramSocket socket) noexcept : socket_(std::move(socket)) {}

  void append_polled(std::vector<pollfd>& polled) const override {
    polled.push_back({.fd = socket_.fd(), .events = POLLIN, .revents = 0});
    polled.push_back({.fd = socket_.stray_fd(), .events = POLLIN, .revents = 0});
  }
  [[nodiscard]] TimePoint due() const override { return next_send_; }
  [[nodiscard]] int advance(std::span<const pollfd> polled, TimePoint now) override {
    std::array<std::byte, 64> answer{};
    const bool has_stray = polled[1].revents != 0;
    const IoResult received = receive(socket_.fd(), answer);
    if (received.ok() || has_stray) {
      return 0;
    }
    if (!received.would_block()) {
      return received.error();
    }
    return now >= next_send_ ? send_datagram(now) : EINPROGRESS;
  }

 private:
  int send_datagram(TimePoint now) {
    constexpr std::array<std::byte, 16> kDatagram{};
    next_send_ = now + kAttemptDelay;
    const IoResult sent = send(socket_.fd(), kDatagram);
    return sent.ok() || sent.would_block() ? EINPROGRESS : sent.error();
  }

  ClientDatagramSocket socket_;
  TimePoint next_send_{};  // The first is sent at once.
};

std::unique_ptr<RouteAttempt> begin_to_probe(const Route& route, int& error) {
  ClientDatagramSocket socket;
  error = socket.open(route.server, route.source.value_or(any_local_address(route.server)),
                      kProbeBufferBytes);
  return error == 0 ? std::make_unique<DatagramAttempt>(std::move(socket)) : nullptr;
}

}  // namespace

RaceResult probe_datagrams(std::span<const Route> routes, Duration timeout) {
  return race_routes(routes, timeout, begin_to_probe);
}

}  // namespace echod::sys
