#include "admin/http_message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace echod::test {
namespace {

TEST(HttpMessageTest, TheFirstParameterOfANameIsTaken) {
  HttpRequest request;
  request.query = {{"state", "flushing"}, {"state", "echoing"}, {"sort", ""}};
  EXPECT_EQ(request.parameter("state"), "flushing");
  EXPECT_EQ(request.parameter("sort"), "");
  EXPECT_EQ(request.parameter("limit"), "");
}

TEST(HttpMessageTest, TheHeadOfAResponse) {
  HttpResponse response;
  response.content_type = "text/html";
  response.body = "12345";
  EXPECT_EQ(
      head_of(response),
      "HTTP/1.1 200 OK\r\n"
      "Content-Type: text/html\r\n"
      "Content-Length: 5\r\n"
      "Connection: close\r\n"
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
      "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
      "\r\n\r\n");
}

TEST(HttpMessageTest, AnErrorIsOneLineThatNamesEchod) {
  HttpResponse error = http_error(405, "not that way");
  error.allow = "GET, HEAD";
  EXPECT_EQ(error.body, "echod: not that way\n");
  const std::string head = head_of(error);
  EXPECT_EQ(head.find("HTTP/1.1 405 Method Not Allowed\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Length: 20\r\n"
                      "Allow: GET, HEAD\r\n"),
            0U)
      << head;
}

TEST(HttpMessageTest, EveryStatusThatEchodSendsHasAReason) {
  for (const int status : {200, 202, 400, 403, 404, 405, 408, 413, 414, 431, 501, 503, 505}) {
    const std::string head = head_of(http_error(status, "text"));
    const std::string start = "HTTP/1.1 " + std::to_string(status) + ' ';
    EXPECT_EQ(head.find(start), 0U);
    EXPECT_NE(head.at(start.size()), '\r') << status;
  }
  EXPECT_EQ(head_of(http_error(299, "text")).find("HTTP/1.1 299 \r\n"), 0U);
}

}  // namespace
}  // namespace echod::test
