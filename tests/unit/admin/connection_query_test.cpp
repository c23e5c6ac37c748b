#include "admin/connection_query.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace echod::test {
namespace {

using namespace std::chrono_literals;

using Parameters = std::vector<std::pair<std::string, std::string>>;

ConnectionQuery query_of(Parameters parameters) {
  HttpRequest request;
  request.query = std::move(parameters);
  return connection_query(request);
}

std::string error_of(Parameters parameters) {
  try {
    (void)query_of(std::move(parameters));
  } catch (const QueryError& error) {
    return error.what();
  }
  return "no error";
}

ConnectionFacts connection(const std::string& address, std::uint16_t port = 1) {
  ConnectionFacts facts;
  facts.peer = *SocketAddress::parse(address, port);
  return facts;
}

TEST(ConnectionQueryTest, WithoutParametersIsTheFirstHundredConnectionsTheOldestFirst) {
  const ConnectionQuery query = query_of({});
  EXPECT_EQ(query.offset, 0U);
  EXPECT_EQ(query.limit, 100U);
  EXPECT_EQ(query.order, ConnectionOrder::age);
  EXPECT_TRUE(query.filter.matches(connection("192.0.2.1")));
}

TEST(ConnectionQueryTest, TakesAllParameters) {
  const ConnectionQuery query = query_of({{"network", "192.0.2.0/24"},
                                          {"state", "flushing"},
                                          {"worker", "3"},
                                          {"sort", "owed"},
                                          {"limit", "7"},
                                          {"offset", "9"}});
  EXPECT_EQ(query.order, ConnectionOrder::owed);
  EXPECT_EQ(query.limit, 7U);
  EXPECT_EQ(query.offset, 9U);
  ConnectionFacts facts = connection("192.0.2.9");
  facts.state = Connection::State::flushing;
  facts.id.worker = 3;
  EXPECT_TRUE(query.filter.matches(facts));
  for (auto spoil : {+[](ConnectionFacts& it) { it.peer = *SocketAddress::parse("192.0.3.9", 1); },
                     +[](ConnectionFacts& it) { it.state = Connection::State::echoing; },
                     +[](ConnectionFacts& it) { it.id.worker = 2; }}) {
    ConnectionFacts other = facts;
    spoil(other);
    EXPECT_FALSE(query.filter.matches(other));
  }
}

TEST(ConnectionQueryTest, SaysWhatIsWrongAndWhatIsAllowed) {
  EXPECT_EQ(error_of({{"sort", "size"}}), "sort=size: use age, idle, bytes, owed, peer");
  EXPECT_EQ(error_of({{"state", "closed"}}),
            "state=closed: use echoing, flushing, delivering, lingering");
  EXPECT_EQ(error_of({{"limit", "0"}}), "limit=0: use 1 to 1000");
  EXPECT_EQ(error_of({{"limit", "1001"}}), "limit=1001: use 1 to 1000");
  EXPECT_EQ(error_of({{"limit", "1x"}}), "limit=1x: use 1 to 1000");
  EXPECT_EQ(error_of({{"worker", "-1"}}), "worker=-1: use 0 to 4294967295");
  EXPECT_EQ(error_of({{"network", "example.org"}}),
            "network=example.org: use networks such as 192.0.2.0/24, 2001:db8::/32 or ::1");
  EXPECT_EQ(
      error_of({{"page", "2"}}),
      "unknown parameter page; known parameters: network, state, worker, sort, limit, offset");
  EXPECT_EQ(error_of({{"offset", "9901"}}),
            "offset and limit are more than 10000 together; choose fewer connections with network, "
            "state or worker");
  EXPECT_EQ(error_of({{"offset", "9900"}}), "no error");
}

TEST(ConnectionQueryTest, TakesEachParameterOnce) {
  EXPECT_EQ(error_of({{"network", "::1"}, {"network", "::/0"}}), "network is given twice");
}

TEST(ConnectionFilterTest, OfAnOrderTakesNothingThatOnlyAListHas) {
  HttpRequest request;
  request.query = {{"network", "192.0.2.0/24"}, {"limit", "1"}};
  try {
    (void)connection_filter(request);
    ADD_FAILURE() << "limit was ignored";
  } catch (const QueryError& error) {
    EXPECT_STREQ(error.what(), "unknown parameter limit; known parameters: network, state, worker");
  }
}

TEST(ConnectionOrderTest, OfEqualConnectionsIsThatOfTheirIds) {
  ConnectionFacts first = connection("192.0.2.1");
  ConnectionFacts second = first;
  first.id = {.worker = 0, .table_index = 5, .opened_ms = 9};
  second.id = {.worker = 1, .table_index = 2, .opened_ms = 1};
  for (const auto order : {ConnectionOrder::age, ConnectionOrder::idle, ConnectionOrder::bytes,
                           ConnectionOrder::owed, ConnectionOrder::peer}) {
    EXPECT_TRUE(comes_before(first, second, order));
    EXPECT_FALSE(comes_before(second, first, order));
  }
}

TEST(ConnectionQueryTest, DoesNotMatchAConnectionThatHasEnded) {
  ConnectionFacts facts = connection("192.0.2.1");
  facts.state = Connection::State::closed;
  EXPECT_FALSE(ConnectionFilter{}.matches(facts));
}

TEST(ConnectionOrderTest, PutsTheLargestFirst) {
  ConnectionFacts more = connection("192.0.2.1");
  ConnectionFacts less = connection("192.0.2.1");
  more.age = 2s;
  more.idle = 2s;
  more.bytes_received = 2;
  more.owed_bytes = 2;
  for (const auto order : {ConnectionOrder::age, ConnectionOrder::idle, ConnectionOrder::bytes,
                           ConnectionOrder::owed}) {
    EXPECT_TRUE(comes_before(more, less, order));
    EXPECT_FALSE(comes_before(less, more, order));
    EXPECT_FALSE(comes_before(more, more, order));
  }
}

TEST(ConnectionOrderTest, ByPeerIsByFamilyAddressAndPort) {
  const std::vector<ConnectionFacts> in_order{
      connection("9.0.0.1", 9),  connection("10.0.0.1", 1), connection("10.0.0.1", 2),
      connection("10.0.0.2", 1), connection("::1", 1),      connection("2001:db8::1", 1)};
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    for (std::size_t j = 0; j < in_order.size(); ++j) {
      EXPECT_EQ(comes_before(in_order[i], in_order[j], ConnectionOrder::peer), i < j)
          << i << ' ' << j;
    }
  }
}

TEST(ConnectionIdTest, ReadsBackWhatItWrites) {
  const ConnectionId id{.worker = 3, .table_index = 17, .opened_ms = 0x3FA};
  EXPECT_EQ(id_text(id), "3-17-3fa");
  EXPECT_EQ(parse_id("3-17-3fa"), id);
}

TEST(ConnectionIdTest, RefusesOtherTexts) {
  for (const char* const text : {"", "3", "3-17", "3-17-", "-17-3fa", "3-17-xyz", "3-17-3fa-1",
                                 "3-17-3fa-", "4294967296-1-1", " 3-17-3fa"}) {
    EXPECT_EQ(parse_id(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace echod::test
