#include "admin/http_message.hpp"

#include <algorithm>

namespace echod {

namespace {

const char* reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";  // A reason may be empty (RFC 9112 section 4).
  }
}

}  // namespace

std::string_view HttpRequest::parameter(std::string_view name) const noexcept {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [name](const auto& one) { return one.first == name; });
  return found != query.end() ? std::string_view(found->second) : std::string_view();
}

HttpResponse http_error(int status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.body.append("echod: ").append(text).append("\n");
  return response;
}

std::string head_of(const HttpResponse& response) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ' +
                     reason_of(response.status) + "\r\nContent-Type: ";
  head.append(response.content_type);
  head += "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  if (!response.allow.empty()) {
    head += "Allow: " + response.allow + "\r\n";
  }
  head +=
      "Connection: close\r\n"
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
      "frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
      "\r\n";
  return head;
}

}  // namespace echod
