// An HTTP server for operators and their tools, on one event loop. It receives requests, passes
// them to a handler, and sends the responses.
//
// A connection carries one request (http_connection.hpp has its states). Each kind of access has
// kConnectionsPerAccess connections of its own, so clients over TCP cannot use up those of the UNIX
// socket. If a client connects while all connections of its kind are in use, the server closes one
// of them: the oldest that already has its response; else the oldest without a complete request;
// else the oldest. So silent and slow clients do not block others. A connection without a response
// stays open for at least kGraceTime after its accept, so that its client can send the request.
// Meanwhile new clients wait in the accept queue.
//
// The server refuses some requests itself, with a line of text that says why:
// - malformed and too large requests (http_request_parser.hpp)
// - with read-only access: methods other than GET and HEAD (405), and a Host that is neither an IP
//   address nor "localhost" nor this host's name (403). The check of the Host prevents DNS
//   rebinding: a web page may send requests to its own domain, and the domain's name server may
//   then give 127.0.0.1 as its address. So the page would reach this server.
// - with full access: methods other than GET, HEAD, POST and DELETE (501)
//
// Ownership: borrows the loop, the handler and the listening sockets, which must outlive it; owns
// the connections. Thread-safety: belongs to the loop's thread. Never blocks. After the constructor
// only listen() throws: if memory runs out, the affected connection gets status 503 or is closed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "admin/http_connection.hpp"
#include "admin/http_handler.hpp"
#include "loop/event_loop.hpp"

namespace echod {

class HttpServer {
 public:
  static constexpr std::size_t kConnectionsPerAccess = 32;
  static constexpr std::size_t kConnections = 2 * kConnectionsPerAccess;
  static constexpr std::size_t kAcceptsInATurn = 16;
  static constexpr std::chrono::milliseconds kGraceTime{3};

  // `host_name` is the name of this host (gethostname(2)). Throws std::bad_alloc.
  HttpServer(EventLoop& loop, HttpHandler& handler, std::string host_name);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Accepts connections from `fd`, a non-blocking listening socket. The caller keeps ownership.
  // Throws std::system_error, std::bad_alloc.
  void listen(int fd, Access access);
  // Accepts no more connections from `fd`; must be called before `fd` is closed. Open connections
  // stay. No-op if the server does not listen on `fd`.
  void stop_listening(int fd) noexcept;

  // Sends the response to a request. No-op if its connection is gone or has a response already.
  // May be called within HttpHandler::on_request().
  void respond(RequestId id, HttpResponse response) noexcept;
  // Sends status 503 instead of a response for which there is no memory.
  void fail(RequestId id) noexcept;

  [[nodiscard]] std::size_t connections() const noexcept;
  [[nodiscard]] const HttpCounters& counters() const noexcept { return counters_; }

 private:
  class Listener;

  [[nodiscard]] Turn accept_from(Listener& listener) noexcept;
  [[nodiscard]] Turn after_error(Listener& listener, int error) noexcept;
  [[nodiscard]] HttpConnection& next_to_use(Access access) const noexcept;
  [[nodiscard]] HttpConnection* connection_waiting_for(RequestId id) const noexcept;
  void use(HttpConnection& connection, sys::UniqueFd fd, Access access) noexcept;
  void on_request(HttpConnection& connection, ReceivedRequest& received) noexcept;
  [[nodiscard]] bool is_refused(HttpConnection& connection, const ReceivedRequest& received);

  EventLoop& loop_;
  HttpHandler& handler_;
  std::string host_name_;
  HttpCounters counters_;
  // The number of the last connection. A request has the number of its connection as its id.
  std::uint64_t last_number_ = 0;
  // Created once and reused: kConnectionsPerAccess with full access, then as many with read-only
  // access.
  std::vector<std::unique_ptr<HttpConnection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace echod
