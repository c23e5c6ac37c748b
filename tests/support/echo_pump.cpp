#include "echo_pump.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>

namespace echod::test {

namespace {

// Describes the connections that are not done.
std::string unfinished(std::span<const EchoPump> pumps) {
  std::string text;
  for (const EchoPump& pump : pumps) {
    if (!pump.is_done()) {
      tcp_info info{};
      socklen_t length = sizeof info;
      (void)getsockopt(pump.fd(), IPPROTO_TCP, TCP_INFO, &info, &length);
      text += " one has sent " + std::to_string(pump.sent()) + " bytes and received " +
              std::to_string(pump.received()) + ", " + std::to_string(info.tcpi_unacked) +
              " segments are not acknowledged, the timer for sending again was doubled " +
              std::to_string(info.tcpi_backoff) + " times;";
    }
  }
  return text;
}

void run_all(std::span<EchoPump> pumps, const std::function<bool()>& is_enough) {
  std::vector<pollfd> polled(pumps.size());
  for (;;) {
    bool is_all_done = true;
    for (std::size_t i = 0; i < pumps.size(); ++i) {
      const bool is_done = pumps[i].is_done();
      is_all_done = is_all_done && is_done;
      polled[i] = {.fd = is_done ? -1 : pumps[i].fd(), .events = pumps[i].wanted(), .revents = 0};
    }
    if (is_all_done) {
      return;
    }
    constexpr int kPatienceMs = std::chrono::milliseconds(kPatience).count();
    if (poll(polled.data(), polled.size(), kPatienceMs) == 0) {
      throw std::runtime_error("test client: no progress:" + unfinished(pumps));
    }
    for (std::size_t i = 0; i < pumps.size(); ++i) {
      if (polled[i].revents != 0) {
        pumps[i].step(polled[i].revents);
      }
    }
    if (is_enough && is_enough()) {
      return;
    }
  }
}

}  // namespace

EchoPump::EchoPump(TcpPeer& peer, const PumpPlan& plan)
    : peer_(peer),
      plan_(plan),
      pattern_(plan.seed),
      random_(static_cast<std::minstd_rand::result_type>(plan.seed)),
      chunk_(std::max(plan.largest_send, plan.largest_receive)) {}

bool EchoPump::is_done() const {
  return plan_.half_closes ? is_ended_ : received_ == plan_.bytes;
}

short EchoPump::wanted() const {
  const bool sends = sent_ < plan_.bytes ? sent_ - received_ < plan_.most_ahead
                                         : plan_.half_closes && !is_half_closed_;
  return static_cast<short>((sends ? POLLOUT : 0) | (plan_.reads ? POLLIN : 0));
}

void EchoPump::step(short ready) {
  if ((ready & POLLOUT) != 0) {
    send_some();
  }
  if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 && plan_.reads) {
    receive_some();
  }
}

void EchoPump::send_some() {
  const std::uint64_t left = plan_.bytes - sent_;
  if (left == 0) {
    peer_.half_close();
    is_half_closed_ = true;
    return;
  }
  std::uniform_int_distribution<std::size_t> sizes(1, plan_.largest_send);
  const std::span<char> bytes =
      std::span(chunk_).first(std::min<std::uint64_t>(sizes(random_), left));
  pattern_.fill(bytes, sent_);
  const ssize_t count = ::send(peer_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    throw std::system_error(errno, std::system_category(),
                            "test client: send at byte " + std::to_string(sent_));
  }
  sent_ += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
}

void EchoPump::receive_some() {
  std::uniform_int_distribution<std::size_t> sizes(1, plan_.largest_receive);
  const ssize_t count = recv(peer_.fd(), chunk_.data(), sizes(random_), 0);
  if (count < 0) {
    if (errno != EAGAIN) {
      throw std::system_error(errno, std::system_category(),
                              "test client: receive at byte " + std::to_string(received_));
    }
    return;
  }
  const std::span<const char> bytes = std::span(chunk_).first(static_cast<std::size_t>(count));
  if (const auto wrong = pattern_.first_difference(bytes, received_)) {
    throw std::runtime_error("test client: byte " + std::to_string(received_ + *wrong) +
                             " came back wrong");
  }
  received_ += bytes.size();
  const bool is_short_end = bytes.empty() && (received_ < plan_.bytes || !is_half_closed_);
  if (received_ > sent_ || is_short_end) {
    throw std::runtime_error("test client: " + std::to_string(received_) + " bytes came back of " +
                             std::to_string(sent_) + " sent" + (bytes.empty() ? ", then FIN" : ""));
  }
  is_ended_ = bytes.empty();
}

void send_until_blocked(std::vector<EchoPump>& pumps) {
  constexpr int kQuietMs = kSanitized ? 2000 : 400;
  std::vector<pollfd> polled;
  polled.reserve(pumps.size());
  for (const EchoPump& pump : pumps) {
    polled.push_back({.fd = pump.fd(), .events = POLLOUT, .revents = 0});
  }
  const Deadline deadline;
  while (poll(polled.data(), polled.size(), kQuietMs) > 0) {
    for (std::size_t i = 0; i < pumps.size(); ++i) {
      if ((polled[i].revents & POLLOUT) != 0) {
        pumps[i].step(POLLOUT);
      }
      if (deadline.has_passed() || (pumps[i].wanted() & POLLOUT) == 0) {
        throw std::runtime_error("test client: send does not block, " +
                                 std::to_string(pumps[i].sent()) + " bytes were taken");
      }
    }
  }
}

void send_until_blocked(TcpPeer& peer) {
  std::vector<EchoPump> pumps;
  pumps.emplace_back(peer, PumpPlan{.bytes = kMoreThanBuffersHold, .reads = false});
  send_until_blocked(pumps);
}

void run_pumps(std::vector<EchoPump>& pumps, const std::function<bool()>& is_enough) {
  run_all(pumps, is_enough);
}

void run_pump(EchoPump& pump) {
  run_all(std::span(&pump, 1), {});
}

}  // namespace echod::test
