// Answers the requests that an HttpServer receives.
#pragma once

#include <cstdint>

#include "admin/http_message.hpp"

namespace echod {

// What a client may do. The socket to which it connected decides.
enum class Access : std::uint8_t {
  full,       // Over a UNIX socket: the mode of its file limits who may connect.
  read_only,  // TCP: GET and HEAD only, because other programs and web pages reach it too.
};

// Identifies one request. Never reused.
using RequestId = std::uint64_t;

// Called by HttpServer, in the thread of its loop. Must not block, and must do a bounded amount of
// work.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  HttpHandler(const HttpHandler&) = delete;
  HttpHandler& operator=(const HttpHandler&) = delete;

  // Must call HttpServer::respond(id, ...) once, immediately or later. The method is `get`, `post`
  // or `del`: the server passes a HEAD as `get` and does not send the body of the response. With
  // read-only access it is always `get`. If this throws, the server answers with status 503.
  virtual void on_request(RequestId id, Access access, const HttpRequest& request) = 0;

  // The two functions below must not call the server.
  //
  // Accepting fails with the errno `error`, because descriptors or memory are used up. The server
  // retries every 250 ms. Called once per shortage.
  virtual void on_accept_paused(Access access, int error) noexcept = 0;
  // A listening socket has failed for good with the errno `error`. The server accepts no more
  // connections from it.
  virtual void on_listener_lost(Access access, int error) noexcept = 0;

 protected:
  HttpHandler() noexcept = default;
};

}  // namespace echod
