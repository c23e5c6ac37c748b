// What answers the requests that an HttpServer has received.
#pragma once

#include <cstdint>

#include "admin/http_message.hpp"

namespace echod {

// What a client may do. It depends on the socket that it came through.
enum class Access : std::uint8_t {
  full,       // Over a UNIX socket: the mode of its file limits who may connect.
  read_only,  // TCP: GET and HEAD only, because other programs and web pages reach it too.
};

// Identifies one request. It is never used again for another.
using RequestId = std::uint64_t;

// Called by HttpServer, in the thread of its loop. Must not block, and must do a bounded amount of
// work.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  HttpHandler(const HttpHandler&) = delete;
  HttpHandler& operator=(const HttpHandler&) = delete;

  // Must lead to one call of HttpServer::respond(id, ...), immediately or later. The method is
  // `get`, `post` or `del`: a HEAD comes as `get`, and the server leaves out the body of its
  // response. With read-only access it is always `get`. If this throws, the server answers with
  // status 503.
  virtual void on_request(RequestId id, Access access, const HttpRequest& request) = 0;

  // The two below must not call the server.
  //
  // Accepting fails with `error`, an errno, for lack of descriptors or memory. The server retries
  // every 250 ms. Called once for each such shortage.
  virtual void on_accept_paused(Access access, int error) noexcept = 0;
  // A listening socket has failed for good with `error`, an errno. The server accepts no more
  // connections from it.
  virtual void on_listener_lost(Access access, int error) noexcept = 0;

 protected:
  HttpHandler() noexcept = default;
};

}  // namespace echod
