// Parses the one HTTP request of a connection, from bytes as they arrive.
//
// The grammar is that of Boost.Beast's request_parser, which works on bytes and needs none of
// Boost.Asio's input and output. It is in Debian 12 and 13 and has been in use and under attack for
// years. The limits are this unit's own, because Beast 1.74 counts its limit anew for each field:
//
//   status  condition
//   ------  --------------------------------------------------------------------------------------
//   400     not HTTP; not exactly one Host with HTTP/1.1; or a bad target (http_target.hpp)
//   413     a body: no request of echod has one
//   414     the target is longer than 2 KiB
//   431     request line and header fields are longer than 8 KiB
//   501     a Transfer-Encoding, such as chunked
//   503     memory has run out
//   505     neither HTTP/1.0 nor HTTP/1.1
//
// Bytes after the request are ignored, because the connection carries one request only.
//
// Thread-safety: none. Never blocks. feed() does not throw: if memory runs out, it fails with 503.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "admin/http_message.hpp"

namespace echod {

struct ReceivedRequest {
  HttpRequest request;
  bool has_host = false;  // Always true with HTTP/1.1.
  std::string host;       // The field Host, as received: "127.0.0.1:9862".
};

class HttpRequestParser {
 public:
  static constexpr std::size_t kMostHeaderBytes = std::size_t{8} * 1024;
  static constexpr std::size_t kMostTargetBytes = std::size_t{2} * 1024;

  enum class State : std::uint8_t {
    incomplete,  // More bytes are needed.
    complete,    // take_request() gives the request.
    failed,      // The request must be refused: error_status(), error_text().
  };

  // Throws std::bad_alloc.
  HttpRequestParser();
  ~HttpRequestParser();
  HttpRequestParser(const HttpRequestParser&) = delete;
  HttpRequestParser& operator=(const HttpRequestParser&) = delete;

  // Parses the next bytes. No-op once the state is not `incomplete`.
  State feed(std::string_view bytes) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  // Whether any byte has arrived.
  [[nodiscard]] bool has_begun() const noexcept { return received_ > 0; }
  [[nodiscard]] ReceivedRequest take_request() noexcept { return std::move(request_); }
  [[nodiscard]] int error_status() const noexcept { return error_status_; }
  // Why the request is refused, for people; without an end of line.
  [[nodiscard]] const char* error_text() const noexcept { return error_text_; }

 private:
  struct Beast;  // Boost's parser, so that no other file includes Boost.

  void parse(std::string_view bytes);
  void on_limit() noexcept;
  void finish();
  void fail(int status, const char* text) noexcept;

  std::unique_ptr<Beast> beast_;
  State state_ = State::incomplete;
  std::size_t received_ = 0;  // Bytes of request line and header.
  std::string unparsed_;      // Received bytes that Beast has not consumed: a part of a line.
  ReceivedRequest request_;
  int error_status_ = 0;
  const char* error_text_ = "";
};

}  // namespace echod
