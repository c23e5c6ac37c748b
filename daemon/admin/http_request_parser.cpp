#include "admin/http_request_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <new>

#include "admin/http_target.hpp"

namespace echod {

namespace http = boost::beast::http;

namespace {

HttpMethod method_of(http::verb verb) noexcept {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::get;
    case http::verb::head:
      return HttpMethod::head;
    case http::verb::post:
      return HttpMethod::post;
    case http::verb::delete_:
      return HttpMethod::del;
    default:
      return HttpMethod::other;
  }
}

// Beast's strings are of another type in each version of Boost.
template <typename View>
std::string_view view_of(const View& text) noexcept {
  return {text.data(), text.size()};
}

constexpr const char* kNoBody = "no request has a body";
constexpr const char* kLongTarget = "the target is longer than 2 KiB";

}  // namespace

struct HttpRequestParser::Beast {
  [[nodiscard]] bool has_request_line() const { return !parser.get().target().empty(); }

  http::request_parser<http::empty_body> parser;
};

HttpRequestParser::HttpRequestParser() : beast_(std::make_unique<Beast>()) {
  // feed() checks the limit; this one must only not be smaller.
  beast_->parser.header_limit(2 * kMostHeaderBytes);
}

HttpRequestParser::~HttpRequestParser() = default;

// Catches all exceptions, because Boost does not say which ones there may be.
HttpRequestParser::State HttpRequestParser::feed(std::string_view bytes) noexcept {
  if (state_ != State::incomplete) {
    return state_;
  }
  const std::size_t free = kMostHeaderBytes - received_;
  received_ += std::min(bytes.size(), free);
  try {
    parse(bytes.substr(0, free));
  } catch (...) {
    fail(503, "out of memory");
  }
  if (state_ == State::incomplete && bytes.size() > free) {
    on_limit();
  }
  return state_;
}

void HttpRequestParser::parse(std::string_view bytes) {
  unparsed_ += bytes;
  boost::beast::error_code error;
  const std::size_t parsed = beast_->parser.put(boost::asio::buffer(unparsed_), error);
  unparsed_.erase(0, parsed);
  if (error == http::error::need_more) {
    return;
  }
  if (error == http::error::body_limit) {
    fail(413, kNoBody);
  } else if (error == http::error::bad_version) {
    fail(505, "the version must be HTTP/1.0 or HTTP/1.1");
  } else if (error) {
    fail(400, beast_->has_request_line() ? "a header field is malformed"
                                         : "the request line is malformed");
  } else {
    finish();
  }
}

// Beast parses the request line late if it came in pieces.
void HttpRequestParser::on_limit() noexcept {
  if (beast_->has_request_line() || unparsed_.find('\n') != std::string::npos) {
    fail(431, "the header is longer than 8 KiB");
  } else {
    fail(414, kLongTarget);
  }
}

void HttpRequestParser::finish() {
  const auto& message = beast_->parser.get();
  const std::size_t hosts = message.count(http::field::host);
  const bool needs_host = message.version() >= 11;
  if (message.count(http::field::transfer_encoding) > 0) {
    return fail(501, "there are no transfer encodings, and no request has a body");
  }
  if (beast_->parser.content_length().value_or(0) > 0) {
    return fail(413, kNoBody);
  }
  if (message.target().size() > kMostTargetBytes) {
    return fail(414, kLongTarget);
  }
  if (hosts > 1 || (needs_host && hosts == 0)) {
    return fail(400, "the header must have exactly one field Host");
  }
  request_.request.method = method_of(message.method());
  request_.has_host = hosts > 0;
  request_.host = view_of(message[http::field::host]);
  if (const char* const refused = parse_target(view_of(message.target()), request_.request)) {
    return fail(400, refused);
  }
  state_ = State::complete;
}

void HttpRequestParser::fail(int status, const char* text) noexcept {
  state_ = State::failed;
  error_status_ = status;
  error_text_ = text;
}

}  // namespace echod
