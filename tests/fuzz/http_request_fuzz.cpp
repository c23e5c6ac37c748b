// Fuzzes HTTP requests. A request is either refused with a status and one line, or it has a path
// and a query that are safe to print. How its bytes are cut into pieces makes no difference to a
// complete request.
//
// The first byte of an input is the length of the pieces; 0 means a growing length. The rest is
// what a client sends.
#include "admin/host_check.hpp"
#include "admin/http_request_parser.hpp"
#include "config/toml_value.hpp"
#include "fuzz_target.hpp"

namespace echod::test {
namespace {

using State = HttpRequestParser::State;

void require_refusal(const HttpRequestParser& parser) {
  constexpr std::string_view kStatuses = " 400 413 414 431 501 505 ";
  const std::string status = ' ' + std::to_string(parser.error_status()) + ' ';
  require(kStatuses.find(status) != std::string_view::npos, "a refusal has a documented status",
          status);
  const std::string_view text = parser.error_text();
  require(!text.empty() && is_one_line(text), "a refusal says why in one line", text);
}

void require_printable(std::string_view text) {
  require(is_one_line(text) && is_utf8(text), "path and query are printable", text);
}

void require_request(const ReceivedRequest& received) {
  require(received.request.path.starts_with('/'), "a path begins with /", received.request.path);
  require_printable(received.request.path);
  for (const auto& [name, value] : received.request.query) {
    require_printable(name);
    require_printable(value);
  }
  require(received.has_host || received.host.empty(), "no Host has no value", received.host);
  if (is_own_host(received.host, "host")) {
    constexpr std::string_view kAllowed =
        "0123456789abcdefABCDEF.:[]"  // An address and a port.
        "lLoOcCaAlLhHoOsStT";         // localhost, host
    require(received.host.find_first_not_of(kAllowed) == std::string::npos,
            "an own host is an address or a known name", received.host);
  }
}

bool is_same(const ReceivedRequest& a, const ReceivedRequest& b) {
  return a.request.method == b.request.method && a.request.path == b.request.path &&
         a.request.query == b.request.query && a.has_host == b.has_host && a.host == b.host;
}

State feed_in_pieces(HttpRequestParser& parser, std::string_view text, std::size_t length) {
  std::size_t next = std::max<std::size_t>(length, 1);
  while (!text.empty()) {
    (void)parser.feed(text.substr(0, next));
    text.remove_prefix(std::min(next, text.size()));
    next += length == 0 ? 1 : 0;
  }
  return parser.state();
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  test::FuzzInput input(data, size);
  const std::size_t length = input.byte();
  const std::string text = input.rest();
  HttpRequestParser whole;
  HttpRequestParser pieces;
  const auto state = whole.feed(text);
  const auto state_of_pieces = test::feed_in_pieces(pieces, text, length);
  for (const HttpRequestParser* const parser : {&whole, &pieces}) {
    if (parser->state() == HttpRequestParser::State::failed) {
      test::require_refusal(*parser);
    }
  }
  const bool is_complete = state == HttpRequestParser::State::complete;
  test::require(is_complete == (state_of_pieces == HttpRequestParser::State::complete),
                "pieces make no difference", text);
  if (is_complete) {
    const ReceivedRequest received = whole.take_request();
    test::require_request(received);
    test::require(test::is_same(received, pieces.take_request()), "pieces give the same request",
                  text);
  }
  return 0;
}
