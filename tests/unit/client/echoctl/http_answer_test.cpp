#include "client/echoctl/http_answer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace echod::ctl {
namespace {

using State = HttpAnswerParser::State;

const std::string kHttpOk =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    "hello";

TEST(HttpAnswerTest, AnAnswerMayComeInTwoPiecesOfAnySize) {
  for (std::size_t split = 0; split <= kHttpOk.size(); ++split) {
    HttpAnswerParser parser;
    const State first = parser.add(kHttpOk.substr(0, split));
    EXPECT_EQ(first, split < kHttpOk.size() ? State::incomplete : State::complete) << split;
    ASSERT_EQ(parser.add(kHttpOk.substr(split)), State::complete) << split;
    const HttpAnswer answer = parser.take();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
  }
}

TEST(HttpAnswerTest, AnAnswerMayComeByteByByte) {
  HttpAnswerParser parser;
  for (std::size_t i = 0; i < kHttpOk.size(); ++i) {
    const State state = parser.add(kHttpOk.substr(i, 1));
    ASSERT_EQ(state, i + 1 < kHttpOk.size() ? State::incomplete : State::complete) << i;
  }
  EXPECT_EQ(parser.take().body, "hello");
}

TEST(HttpAnswerTest, AnAnswerThatIsCutOffAnywhereIsIncomplete) {
  for (std::size_t length = 0; length < kHttpOk.size(); ++length) {
    HttpAnswerParser parser;
    EXPECT_EQ(parser.add(kHttpOk.substr(0, length)), State::incomplete);
    EXPECT_EQ(parser.add_end(), State::incomplete) << length;
  }
}

TEST(HttpAnswerTest, BytesAfterTheAnswerAreIgnored) {
  HttpAnswerParser parser;
  EXPECT_EQ(parser.add(kHttpOk + "HTTP/1.1 500 No\r\n\r\n"), State::complete);
  EXPECT_EQ(parser.add_end(), State::complete);
  EXPECT_EQ(parser.take().body, "hello");
}

TEST(HttpAnswerTest, AnAnswerWithoutALengthEndsWithTheFile) {
  HttpAnswerParser parser;
  EXPECT_EQ(parser.add("HTTP/1.0 503 Service Unavailable\r\n\r\nfull"), State::incomplete);
  EXPECT_EQ(parser.add("\n"), State::incomplete);
  ASSERT_EQ(parser.add_end(), State::complete);
  const HttpAnswer answer = parser.take();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "full\n");
}

TEST(HttpAnswerTest, AnAnswerMayHaveNoBody) {
  HttpAnswerParser parser;
  EXPECT_EQ(parser.add("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), State::complete);
  EXPECT_EQ(parser.take().body, "");
}

TEST(HttpAnswerTest, WhatIsNotHttpIsMalformed) {
  const std::string kLong(9000, 'x');
  for (const std::string& bytes :
       {std::string("hello, this is no HTTP\r\n"), std::string("\0\0\0\0\0\0\0\0\r\n", 10),
        std::string("HTTP/9 200 OK\r\n\r\n"), std::string("HTTP/1.1 abc\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nX: " + kLong + "\r\n\r\n",
        std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")}) {
    HttpAnswerParser parser;
    EXPECT_EQ(parser.add(bytes), State::malformed) << bytes.substr(0, 40);
    EXPECT_EQ(parser.add("more"), State::malformed);
    EXPECT_EQ(parser.add_end(), State::malformed);
  }
}

TEST(HttpAnswerTest, ABodyMayHaveTheLargestSizeAndNotAByteMore) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
  HttpAnswerParser over;
  EXPECT_EQ(over.add(head + std::to_string(HttpAnswerParser::kMostBodyBytes + 1) + "\r\n\r\n"),
            State::too_large);
  HttpAnswerParser endless;
  State state = endless.add("HTTP/1.1 200 OK\r\n\r\n");
  const std::string piece(std::size_t{1} << 20, '.');
  for (std::size_t bytes = 0; bytes < HttpAnswerParser::kMostBodyBytes; bytes += piece.size()) {
    ASSERT_EQ(state, State::incomplete);
    state = endless.add(piece);
  }
  EXPECT_EQ(state, State::incomplete);
  EXPECT_EQ(endless.add("."), State::too_large);
}

}  // namespace
}  // namespace echod::ctl
