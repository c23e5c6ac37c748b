#include "client/echoctl/connection_table.hpp"

#include <gtest/gtest.h>

#include <string>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

ConnectionList example_list() {
  return parse_connections(test::connections_example().dump());
}

TEST(ConnectionTableTest, AConnectionIsARow) {
  ConnectionList list = example_list();
  list.total = 2;
  EXPECT_EQ(
      connections_text(list, Sizes::readable, Style(false)),
      "ID        PEER             LISTENER   WORKER     AGE    IDLE  RECEIVED  OWED  STATE\n"
      "0-17-3fa  192.0.2.1:40000  [::]:2003       0  1h 02m  0.01 s     2 KiB   0 B  echoing\n"
      "1-2-1     [2001:db8::1]:1  [::]:2003       1  1.50 s  1.50 s       0 B   7 B  flushing\n");
  EXPECT_NE(connections_text(list, Sizes::exact, Style(false)).find(" 2048     0  echoing\n"),
            std::string::npos);
}

TEST(ConnectionTableTest, ALineSaysWhichPartOfTheConnectionsIsShown) {
  ConnectionList list = example_list();
  list.offset = 1;
  EXPECT_TRUE(connections_text(list, Sizes::readable, Style(false))
                  .ends_with("\n2 to 3 of 3 connections; --limit and --offset show others\n"));
  list.connections.clear();
  EXPECT_TRUE(connections_text(list, Sizes::readable, Style(false))
                  .ends_with("\nnone of 3 connections; --limit and --offset show others\n"));
}

TEST(ConnectionTableTest, WithoutConnectionsThereIsNoTable) {
  EXPECT_EQ(connections_text(ConnectionList(), Sizes::readable, Style(false)), "no connections\n");
}

TEST(ConnectionTableTest, WorkersThatDidNotAnswerAreNamed) {
  EXPECT_EQ(silent_workers_text({}, kMissing), "");
  EXPECT_EQ(silent_workers_text({3}, kMissing), "worker 3 did not answer: connections are missing");
  EXPECT_EQ(silent_workers_text({3, 5}, kMissing),
            "workers 3, 5 did not answer: connections are missing");
}

}  // namespace
}  // namespace echod::ctl
