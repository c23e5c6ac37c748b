#include "admin/http_request_parser.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocations.hpp"

namespace echod::test {
namespace {

using ParserState = HttpRequestParser::State;

ReceivedRequest parsed_request(std::string_view text) {
  HttpRequestParser parser;
  EXPECT_EQ(parser.feed(text), ParserState::complete) << text << '\n' << parser.error_text();
  return parser.take_request();
}

// The status with which a request is refused, and "..." if more bytes are needed.
std::string refusal_of_request(std::string_view text) {
  HttpRequestParser parser;
  switch (parser.feed(text)) {
    case ParserState::incomplete:
      return "...";
    case ParserState::complete:
      return "complete";
    case ParserState::failed:
      break;
  }
  return std::to_string(parser.error_status()) + ' ' + parser.error_text();
}

std::string get_request(const std::string& target, const std::string& fields = "Host: x\r\n") {
  return "GET " + target + " HTTP/1.1\r\n" + fields + "\r\n";
}

TEST(HttpRequestParserTest, ParsesARequest) {
  const ReceivedRequest received = parsed_request(
      "GET /connections?limit=10 HTTP/1.1\r\nHost:  [::1]:9862 \r\nAccept: */*\r\n\r\n");
  EXPECT_EQ(received.request.method, HttpMethod::get);
  EXPECT_EQ(received.request.path, "/connections");
  EXPECT_EQ(received.request.parameter("limit"), "10");
  EXPECT_TRUE(received.has_host);
  EXPECT_EQ(received.host, "[::1]:9862");
}

TEST(HttpRequestParserTest, KnowsTheMethods) {
  const std::vector<std::pair<std::string, HttpMethod>> methods{
      {"GET", HttpMethod::get},       {"HEAD", HttpMethod::head}, {"POST", HttpMethod::post},
      {"DELETE", HttpMethod::del},    {"PUT", HttpMethod::other}, {"OPTIONS", HttpMethod::other},
      {"CONNECT", HttpMethod::other}, {"get", HttpMethod::other}, {"X-Y!", HttpMethod::other}};
  for (const auto& [name, method] : methods) {
    EXPECT_EQ(parsed_request(name + " / HTTP/1.1\r\nHost: x\r\n\r\n").request.method, method)
        << name;
  }
}

TEST(HttpRequestParserTest, ParsesBytesAsTheyArrive) {
  const std::string text = get_request("/metrics?a=%41", "Host: localhost\r\nUser-Agent: test\r\n");
  for (std::size_t step = 1; step < 8; ++step) {
    HttpRequestParser parser;
    EXPECT_FALSE(parser.has_begun());
    for (std::size_t i = 0; i < text.size(); i += step) {
      EXPECT_EQ(parser.state(), ParserState::incomplete);
      (void)parser.feed(std::string_view(text).substr(i, step));
      EXPECT_TRUE(parser.has_begun());
    }
    ASSERT_EQ(parser.state(), ParserState::complete);
    const ReceivedRequest received = parser.take_request();
    EXPECT_EQ(received.request.path, "/metrics");
    EXPECT_EQ(received.request.parameter("a"), "A");
    EXPECT_EQ(received.host, "localhost");
  }
}

TEST(HttpRequestParserTest, BytesAfterTheRequestAreIgnored) {
  const std::string_view after = "\0\xff GET / HTTP/9.9\r\n\r\n";
  HttpRequestParser parser;
  EXPECT_EQ(parser.feed(get_request("/a") + std::string(after)), ParserState::complete);
  EXPECT_EQ(parser.feed(after), ParserState::complete);
  EXPECT_EQ(parser.take_request().request.path, "/a");
  EXPECT_EQ(parsed_request(get_request("/a") + std::string(20000, 'x')).request.path, "/a");
}

TEST(HttpRequestParserTest, Http11NeedsExactlyOneHost) {
  const std::string refused = "400 the header must have exactly one field Host";
  EXPECT_EQ(refusal_of_request(get_request("/", "")), refused);
  EXPECT_EQ(refusal_of_request(get_request("/", "Host: a\r\nhost: a\r\n")), refused);
  EXPECT_EQ(refusal_of_request("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), refused);
  EXPECT_TRUE(parsed_request(get_request("/", "Host:\r\n")).has_host);
  EXPECT_FALSE(parsed_request("GET / HTTP/1.0\r\n\r\n").has_host);
}

TEST(HttpRequestParserTest, RefusesOtherVersions) {
  const std::string refused = "505 the version must be HTTP/1.0 or HTTP/1.1";
  for (const std::string version : {"HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0"}) {
    EXPECT_EQ(refusal_of_request("GET / " + version + "\r\nHost: x\r\n\r\n"), refused) << version;
  }
  EXPECT_EQ(refusal_of_request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), refused);
}

TEST(HttpRequestParserTest, RefusesARequestLineThatIsNone) {
  for (const std::string& line : std::vector<std::string>{
           "GET /\r\n", " GET / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n", "\r\n", "G@T / HTTP/1.1\r\n",
           "GET\t/ HTTP/1.1\r\n", std::string("\x16\x03\x01\x02\x00\x01\x00", 7)}) {
    EXPECT_EQ(refusal_of_request(line + "Host: x\r\n\r\n"), "400 the request line is malformed")
        << line;
  }
}

TEST(HttpRequestParserTest, RefusesATlsClientAtItsFirstByte) {
  EXPECT_EQ(refusal_of_request("\x16"), "400 the request line is malformed");
}

TEST(HttpRequestParserTest, RefusesMalformedFields) {
  for (const std::string field :
       {"no colon\r\n", "Host : x\r\n", ": x\r\n", "A\x01: x\r\n", "A: \x01\r\n", "A: b\rc\r\n",
        "Content-Length: x\r\n", "Content-Length: -1\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(refusal_of_request(get_request("/", "Host: x\r\n" + field)),
              "400 a header field is malformed")
        << field;
  }
}

TEST(HttpRequestParserTest, RefusesABadTarget) {
  EXPECT_EQ(refusal_of_request(get_request("*")),
            "400 the target must be a path that begins with /");
  EXPECT_EQ(refusal_of_request(get_request("http://a/")),
            "400 the target must be a path that begins with /");
  EXPECT_EQ(refusal_of_request(get_request("/%0")).substr(0, 5), "400 a");
  EXPECT_EQ(refusal_of_request(get_request("/%00")).substr(0, 5), "400 t");
}

TEST(HttpRequestParserTest, RefusesBodies) {
  const std::string post = "POST /drain HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(refusal_of_request(post + "Content-Length: 1\r\n\r\n"), "413 no request has a body");
  EXPECT_EQ(refusal_of_request(post + "Content-Length: 1\r\n\r\nx"), "413 no request has a body");
  EXPECT_EQ(refusal_of_request(post + "Content-Length: 9999999999\r\n\r\n"),
            "413 no request has a body");
  EXPECT_EQ(parsed_request(post + "Content-Length: 0\r\n\r\n").request.method, HttpMethod::post);
  for (const std::string coding : {"chunked", "gzip, chunked", "gzip", "identity"}) {
    EXPECT_EQ(refusal_of_request(post + "Transfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n"),
              "501 there are no transfer encodings, and no request has a body")
        << coding;
  }
}

TEST(HttpRequestParserTest, ATargetOfTwoKibIsAccepted) {
  const std::string longest = '/' + std::string(HttpRequestParser::kMostTargetBytes - 1, 'a');
  EXPECT_EQ(parsed_request(get_request(longest)).request.path, longest);
  const std::string refused = "414 the target is longer than 2 KiB";
  EXPECT_EQ(refusal_of_request(get_request(longest + 'a')), refused);
  EXPECT_EQ(refusal_of_request(get_request('/' + std::string(100'000, 'a'))), refused);
}

TEST(HttpRequestParserTest, AHeaderOfEightKibIsAccepted) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
  const std::string end = "\r\n\r\n";
  const std::size_t free = HttpRequestParser::kMostHeaderBytes - begin.size() - end.size();
  EXPECT_EQ(refusal_of_request(begin + std::string(free, 'a') + end), "complete");
  const std::string refused = "431 the header is longer than 8 KiB";
  EXPECT_EQ(refusal_of_request(begin + std::string(free + 1, 'a') + end), refused);
  EXPECT_EQ(refusal_of_request(begin + std::string(12'000'000, 'a')), refused);
}

// Boost 1.74 has a limit for each field only.
TEST(HttpRequestParserTest, ManyShortFieldsCountTogether) {
  std::string fields = "Host: x\r\n";
  while (fields.size() < HttpRequestParser::kMostHeaderBytes) {
    fields += "A: b\r\n";
  }
  for (const std::size_t step : {std::size_t{1}, std::size_t{6}, fields.size()}) {
    HttpRequestParser parser;
    const std::string text = get_request("/", fields);
    for (std::size_t i = 0; i < text.size(); i += step) {
      (void)parser.feed(std::string_view(text).substr(i, step));
    }
    ASSERT_EQ(parser.state(), ParserState::failed);
    EXPECT_EQ(parser.error_status(), 431);
  }
}

TEST(HttpRequestParserTest, WithoutMemoryItFailsWith503) {
  const std::string text =
      get_request("/a-path-that-is-too-long-for-a-small-string?and=a-long-parameter");
  std::uint64_t spared = 0;
  int failures = 0;
  for (;; ++spared) {
    HttpRequestParser parser;
    {
      const AllocationFailure none(0, spared);
      (void)parser.feed(text);
    }
    if (parser.state() == ParserState::complete) {
      break;
    }
    ++failures;
    ASSERT_EQ(parser.state(), ParserState::failed);
    ASSERT_EQ(parser.error_status(), 503);
    ASSERT_STREQ(parser.error_text(), "out of memory");
  }
  EXPECT_GT(failures, 3);
}

}  // namespace
}  // namespace echod::test
