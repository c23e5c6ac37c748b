#include "client/echoctl/http_answer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

namespace echod::ctl {

namespace http = boost::beast::http;

struct HttpAnswerParser::Parser {
  http::response_parser<http::string_body> http;
  std::string unparsed;  // The beginning of a header line or of a chunk that is not complete yet.
  State state = State::incomplete;

  void note(const boost::beast::error_code& error) {
    if (error == http::error::body_limit) {
      state = State::too_large;
    } else if (error && error != http::error::need_more) {
      state = State::malformed;
    } else if (http.is_done()) {
      state = State::complete;
    }
  }
};

HttpAnswerParser::HttpAnswerParser() : parser_(std::make_unique<Parser>()) {
  parser_->http.eager(true);  // Parses the body too.
  parser_->http.body_limit(kMostBodyBytes);
}

HttpAnswerParser::~HttpAnswerParser() = default;
HttpAnswerParser::HttpAnswerParser(HttpAnswerParser&& other) noexcept = default;
HttpAnswerParser& HttpAnswerParser::operator=(HttpAnswerParser&& other) noexcept = default;

HttpAnswerParser::State HttpAnswerParser::add(std::string_view bytes) {
  Parser& parser = *parser_;
  parser.unparsed += bytes;
  while (parser.state == State::incomplete && !parser.unparsed.empty()) {
    boost::beast::error_code error;
    const std::size_t parsed = parser.http.put(boost::asio::buffer(parser.unparsed), error);
    parser.unparsed.erase(0, parsed);
    parser.note(error);
    if (parsed == 0) {
      break;
    }
  }
  return parser.state;
}

HttpAnswerParser::State HttpAnswerParser::add_end() {
  Parser& parser = *parser_;
  if (parser.state == State::incomplete && parser.http.got_some()) {
    boost::beast::error_code error;
    parser.http.put_eof(error);
    if (error != http::error::partial_message) {
      parser.note(error);
    }
  }
  return parser.state;
}

HttpAnswer HttpAnswerParser::take() {
  auto message = parser_->http.release();
  return {.status = static_cast<int>(message.result_int()), .body = std::move(message.body())};
}

}  // namespace echod::ctl
