#include "admin/http_server.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "admin/host_check.hpp"
#include "admission/accept_policy.hpp"
#include "loop/timer.hpp"
#include "sys/listen_socket.hpp"

namespace echod {

namespace {

constexpr std::chrono::milliseconds kRetryInterval{250};
constexpr std::string_view kReadOnlyMethods = "GET, HEAD";

// The connection with the lowest rank is closed first to make room.
enum class Rank : std::uint8_t { unused, answered, without_request, with_request };

Rank rank_of(const HttpConnection& connection) noexcept {
  switch (connection.state()) {
    case HttpConnection::State::unused:
      return Rank::unused;
    case HttpConnection::State::lingering:
      return Rank::answered;
    case HttpConnection::State::receiving:
      return Rank::without_request;
    default:
      return Rank::with_request;
  }
}

// When a new connection may take the place of this one.
sys::TimePoint usable_at(const HttpConnection& connection) noexcept {
  const bool has_grace_time = rank_of(connection) >= Rank::without_request;
  return has_grace_time ? connection.accepted_at() + HttpServer::kGraceTime : sys::TimePoint::min();
}

bool is_waiting_as(const HttpConnection& connection, RequestId id) noexcept {
  return connection.number() == id && connection.state() == HttpConnection::State::handling;
}

}  // namespace

class HttpServer::Listener final : public Channel {
 public:
  // Throws std::bad_alloc.
  Listener(HttpServer& server, int listen_fd, Access its_access)
      : fd(listen_fd),
        access(its_access),
        retry(server.loop_.timers(), [this] { server_.loop_.enqueue(*this); }),
        server_(server) {}
  Turn on_turn(std::uint32_t /*events*/) noexcept override { return server_.accept_from(*this); }

  const int fd;
  const Access access;
  Timer retry;            // Runs while clients may wait in the queue but no edge will come.
  bool is_short = false;  // The last attempt failed for lack of descriptors or memory.

 private:
  HttpServer& server_;
};

HttpServer::HttpServer(EventLoop& loop, HttpHandler& handler, std::string host_name)
    : loop_(loop), handler_(handler), host_name_(std::move(host_name)) {
  connections_.reserve(kConnections);
  while (connections_.size() < kConnections) {
    connections_.push_back(std::make_unique<HttpConnection>(
        loop_, counters_, [this](HttpConnection& connection, ReceivedRequest& received) {
          on_request(connection, received);
        }));
  }
}

HttpServer::~HttpServer() {
  while (!listeners_.empty()) {
    stop_listening(listeners_.back()->fd);
  }
}

void HttpServer::listen(int fd, Access access) {
  listeners_.push_back(std::make_unique<Listener>(*this, fd, access));
  if (const sys::IoResult added = loop_.add(*listeners_.back(), fd, EPOLLIN); !added.ok()) {
    listeners_.pop_back();
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

void HttpServer::stop_listening(int fd) noexcept {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [fd](const auto& listener) { return listener->fd == fd; });
  if (found != listeners_.end()) {
    loop_.remove(**found);
    loop_.forget_descriptor(fd);
    listeners_.erase(found);
  }
}

Turn HttpServer::accept_from(Listener& listener) noexcept {
  for (std::size_t accepts = 0; accepts < kAcceptsInATurn; ++accepts) {
    HttpConnection& connection = next_to_use(listener.access);
    if (const sys::TimePoint time = usable_at(connection); time > loop_.now()) {
      listener.retry.expire_at(time);
      return Turn::wait;
    }
    sys::Accepted accepted = sys::accept(listener.fd);
    if (accepted.error == 0) {
      listener.is_short = false;
      use(connection, std::move(accepted.fd), listener.access);
    } else if (verdict_on_accept(accepted.error) != AcceptVerdict::retry) {
      return after_error(listener, accepted.error);
    } else {
      ++counters_.accept_errors;
    }
  }
  return Turn::again;
}

Turn HttpServer::after_error(Listener& listener, int error) noexcept {
  const AcceptVerdict verdict = verdict_on_accept(error);
  if (verdict == AcceptVerdict::done) {
    listener.is_short = false;
    return Turn::wait;
  }
  ++counters_.accept_errors;
  if (verdict == AcceptVerdict::fatal) {
    listener.retry.cancel();
    loop_.remove(listener);
    loop_.forget_descriptor(listener.fd);
    handler_.on_listener_lost(listener.access, error);
    return Turn::wait;
  }
  listener.retry.expire_at(loop_.now() + kRetryInterval);
  if (!std::exchange(listener.is_short, true)) {
    handler_.on_accept_paused(listener.access, error);
  }
  return Turn::wait;
}

// Returns an unused connection of this kind, or the one to close to make room.
HttpConnection& HttpServer::next_to_use(Access access) const noexcept {
  const std::span all(connections_);
  const auto kind =
      access == Access::full ? all.first(kConnectionsPerAccess) : all.last(kConnectionsPerAccess);
  const auto next = std::min_element(kind.begin(), kind.end(), [](const auto& a, const auto& b) {
    return std::pair(rank_of(*a), a->number()) < std::pair(rank_of(*b), b->number());
  });
  return **next;
}

void HttpServer::use(HttpConnection& connection, sys::UniqueFd fd, Access access) noexcept {
  ++counters_.accepted;
  if (connection.state() != HttpConnection::State::unused) {
    ++counters_.pushed_out;
    connection.close();
  }
  connection.open(std::move(fd), access, ++last_number_);
}

void HttpServer::on_request(HttpConnection& connection, ReceivedRequest& received) noexcept {
  const RequestId id = connection.number();
  try {
    if (is_refused(connection, received)) {
      return;
    }
    if (received.request.method == HttpMethod::head) {
      received.request.method = HttpMethod::get;
    }
    handler_.on_request(id, connection.access(), received.request);
  } catch (...) {
    if (is_waiting_as(connection, id)) {
      connection.fail();
    }
  }
}

bool HttpServer::is_refused(HttpConnection& connection, const ReceivedRequest& received) {
  const HttpMethod method = received.request.method;
  if (connection.access() == Access::full) {
    if (method == HttpMethod::other) {
      connection.refuse(501, "the methods are GET, HEAD, POST and DELETE");
      return true;
    }
    return false;
  }
  if (method != HttpMethod::get && method != HttpMethod::head) {
    HttpResponse response =
        http_error(405, "over TCP the methods are GET and HEAD; the others need the UNIX socket");
    response.allow = kReadOnlyMethods;
    connection.respond(std::move(response));
    return true;
  }
  if (received.has_host && !is_own_host(received.host, host_name_)) {
    connection.refuse(403, "the Host must be an IP address, localhost or " + host_name_);
    return true;
  }
  return false;
}

void HttpServer::respond(RequestId id, HttpResponse response) noexcept {
  if (HttpConnection* const connection = connection_waiting_for(id)) {
    connection->respond(std::move(response));
  }
}

void HttpServer::fail(RequestId id) noexcept {
  if (HttpConnection* const connection = connection_waiting_for(id)) {
    connection->fail();
  }
}

// Returns null if the connection is gone or already has its response.
HttpConnection* HttpServer::connection_waiting_for(RequestId id) const noexcept {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [id](const auto& connection) { return is_waiting_as(*connection, id); });
  return found == connections_.end() ? nullptr : found->get();
}

std::size_t HttpServer::connections() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      connections_.begin(), connections_.end(),
      [](const auto& connection) { return connection->state() != HttpConnection::State::unused; }));
}

}  // namespace echod
