// A request and a response of HTTP/1.1 (RFC 9110, RFC 9112), as values, and the text of a response.
//
// Thread-safety: plain values; the functions have no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace echod {

enum class HttpMethod : std::uint8_t { get, head, post, del, other };

struct HttpRequest {
  HttpMethod method = HttpMethod::get;
  // Decoded, without the query: "/connections". Path and query are UTF-8 without control
  // characters.
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // Decoded, in the order of the request.

  // The value of the first parameter of this name; empty if there is none.
  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";  // A literal.
  std::string body;
  std::string allow;  // For status 405: the methods that the path has, such as "GET, HEAD".
};

// A response with the body "echod: TEXT\n". Throws std::bad_alloc.
[[nodiscard]] HttpResponse http_error(int status, std::string_view text);

// The status line and all header fields of `response`, up to and with the empty line. They say that
// the connection closes, and that a browser must not guess types, store, or load anything from
// elsewhere. Throws std::bad_alloc.
[[nodiscard]] std::string head_of(const HttpResponse& response);

}  // namespace echod
