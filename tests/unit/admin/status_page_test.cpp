// What the page says. tests/project/status_page_test.py looks at it in a browser.
#include "admin/status_page.hpp"

#include <gtest/gtest.h>

#include <random>

#include "admin/status_tables.hpp"
#include "filled_snapshot.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

// The text between the tags. White space is one space.
std::string text_of(const std::string& html) {
  const std::size_t styles = html.find("<style>");
  const std::size_t body = html.find("</style>");
  std::string text;
  bool is_in_tag = false;
  for (const char character :
       styles == std::string::npos ? html : html.substr(0, styles) + html.substr(body)) {
    is_in_tag = character == '<' || (is_in_tag && character != '>');
    const bool is_space = is_in_tag || character == '>' || character == '\n' || character == ' ';
    if (!is_space) {
      text += character;
    } else if (!text.ends_with(' ')) {
      text += ' ';
    }
  }
  return text;
}

class StatusPageTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string page() const { return status_page(snapshot_, history_); }
  [[nodiscard]] std::string text() const { return text_of(page()); }
  void expect(const std::string& part) const {
    const std::string all = text();
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
  void expect_none(const std::string& part) const {
    EXPECT_EQ(page().find(part), std::string::npos) << part;
  }

  Snapshot snapshot_ = filled_snapshot();
  ConnectionHistory history_;
};

TEST_F(StatusPageTest, SaysTheStateInTheTitleAndTheHeader) {
  expect("echod: serving, 62 connections");
  expect("version 1.2.3, process 4711, up 1 d 3 h since 2025-11-28 03:20:00 UTC");
  expect_none("Not ready");
  expect_none("Unhealthy");
  expect_none("Full");
}

TEST_F(StatusPageTest, SaysWhatIsWrong) {
  snapshot_.not_ready_because = "no listener is open";
  expect("echod: not ready, 62 connections");
  expect("Not ready: no listener is open");
  snapshot_.unhealthy_because = "worker 1 is stuck";
  snapshot_.workers[1].is_stuck = true;
  snapshot_.service.reload_error = "line 3: nonsense";
  snapshot_.service.max_connections = 62;
  expect("echod: unhealthy, 62 connections");
  expect("Unhealthy: worker 1 is stuck");
  expect("The last reload was refused: line 3: nonsense");
  expect("Full: new clients wait");
  expect(" 1 stuck 41 ");
}

TEST_F(StatusPageTest, SaysWhichUpgradesThereWere) {
  expect(
      "This program started at 2025-11-28 17:13:20 UTC after echod 1.2.2; 12 upgrades in all, the "
      "last with a pause of 31.2 ms for 1 204 connections; 13 refused, 14 failed.");
  snapshot_.service.upgrades.done = 0;
  expect("No upgrade was done; 13 refused, 14 failed.");
  snapshot_.service.upgrades = {};
  expect_none("upgrade");
}

TEST_F(StatusPageTest, SaysOnceWhyTheLastUpgradeDidNotHappen) {
  expect_none("The last upgrade did not happen");
  snapshot_.service.upgrades.last_error = "it exited with code 127";
  expect("The last upgrade did not happen: it exited with code 127");
  snapshot_.service.reload_error = "upgrade: it exited with code 127";
  expect("The last reload was refused: upgrade: it exited with code 127");
  expect_none("The last upgrade did not happen");
}

TEST_F(StatusPageTest, SaysThatItStartsOrDrains) {
  snapshot_.phase = Phase::draining;
  snapshot_.not_ready_because = "draining";
  expect("echod: draining, 62 connections");
  snapshot_.phase = Phase::starting;
  expect("echod: starting, 62 connections");
}

TEST_F(StatusPageTest, HasTheLimitsAndWhatIsUsedOfThem) {
  expect("connections 62 of 5 000");
  expect("reply buffers 192 KiB of 64 MiB");
  expect("open files 77 of 5 100");
  expect("memory 11.8 MiB");
}

TEST_F(StatusPageTest, HasListenersWithTheirQueues) {
  expect("[::]:2003 30 7 000 20 of 1 024 40 [::]:2004 32 7 001 21 of 1 025 41 ");
  snapshot_.listeners[0].is_open = false;
  expect("[::]:2003 (closed) 30 7 000 - - [::]:2004 ");
  snapshot_.listeners[1].has_queue = false;
  expect("[::]:2004 32 7 001 - - ");
}

TEST_F(StatusPageTest, HasWorkersInTablesOfSixteen) {
  expect(" 0 21 90 000 64 KiB 1 41 90 001 128 KiB ");
  snapshot_ = filled_snapshot(1, 40);
  for (const char* const caption : {"Workers 0 to 15", "Workers 16 to 31", "Workers 32 to 39"}) {
    expect(caption);
  }
}

TEST_F(StatusPageTest, HasEveryCounter) {
  const std::string all = text();
  for (std::size_t i = 0; i < kCounters; ++i) {
    std::string name(name_of(static_cast<Counter>(i)));
    name = i < static_cast<std::size_t>(Counter::closed) ? name : name.substr(7);
    std::replace(name.begin(), name.end(), '_', ' ');
    EXPECT_NE(all.find(' ' + name + ' '), std::string::npos) << name;
  }
}

TEST_F(StatusPageTest, NamesCountersThatAreZeroInOneLine) {
  for (WorkerSnapshot& worker : snapshot_.workers) {
    worker.counters = {};
  }
  const std::string text = text_of(closes_html(snapshot_, history_));
  EXPECT_NE(text.find("Still 0: peer closed, reset, "), std::string::npos) << text;
  EXPECT_EQ(text.find("reason"), std::string::npos) << text;
}

TEST_F(StatusPageTest, HasTheGrowthSinceTheOldestSample) {
  Snapshot before = snapshot_;
  before.now -= 120;
  constexpr auto kReset = static_cast<std::size_t>(counter_of(CloseReason::reset));
  constexpr auto kReceived = static_cast<std::size_t>(Counter::bytes_received);
  before.workers[0].counters[kReset] -= 7;
  before.workers[0].counters[kReceived] -= 600;
  before.listeners[0].dropped -= 5;
  before.worker_stalls -= 1;
  history_.add(before);
  expect("last 2 min since the start");
  expect("reset the client reset the connection 7 " +
         std::to_string(total_counters(snapshot_)[kReset]).insert(1, " "));
  expect("bytes received bytes that were read to be echoed 600 B 2.94 KiB");
  expect("was full (backlog) 5 81 ");
  expect("no turn for 6 s 1 3 ");
}

TEST_F(StatusPageTest, HasRatesOfTheLastTenSeconds) {
  expect_none("accepted</dt>");
  for (const double age_s : {60, 10, 4, 0}) {
    Snapshot past = snapshot_;
    past.now -= age_s;
    const auto reduce = [&past, age_s](Counter counter, double per_second) {
      past.workers[0].counters[static_cast<std::size_t>(counter)] -=
          static_cast<std::uint64_t>(per_second * age_s);
    };
    reduce(Counter::accepted, 2);
    reduce(Counter::echoes, 4);
    reduce(counter_of(CloseReason::reset), 1);
    reduce(counter_of(CloseReason::forced), 1.5);
    past.process.cpu_user_s -= 0.02 * age_s;
    history_.add(past);
  }
  expect(" accepted 2/s ");
  expect(" closed 2.5/s ");
  expect(" echoes 4/s ");
  expect(" CPU 2 % of one CPU ");
  expect("accepted: now 2, most 2");
  expect("closed: now 2.5, most 2.5");
}

TEST_F(StatusPageTest, TheChartOfConnectionsEndsWithThoseThatAreOpenNow) {
  Snapshot before = snapshot_;
  before.now -= 1;
  before.workers[0].connections[0] += 100;
  history_.add(before);
  expect("connections 62 of 5 000");
  expect("open: now 62, most 162");
}

TEST_F(StatusPageTest, HasTheServerDelay) {
  snapshot_.workers.resize(1);
  snapshot_.workers[0].server_delay = {};
  expect("No echo has been sampled yet.");
  snapshot_.workers[0].server_delay.counts[4] = 98;
  snapshot_.workers[0].server_delay.counts[5] = 2;
  Snapshot before = snapshot_;
  before.now -= 60;
  before.workers[0].server_delay.counts[4] = 0;
  history_.add(before);
  expect(
      " up to 100 us 98 98 up to 250 us 0 2 p50, estimated 75 us 75.5 us p99, estimated 99.5 us "
      "175 us ");
  expect(" server delay p50 75 us ");
  expect_none("up to 500 us");
}

TEST_F(StatusPageTest, HasTheLogWithTheNewestTroubleFirst) {
  snapshot_.log.trouble = {"12:00 - WARNING - older", "12:01 - ERROR - newer"};
  expect(
      "file level debug stderr level error lines dropped 8 write failures 9 Last warnings and "
      "errors "
      "12:01 - ERROR - newer 12:00 - WARNING - older ");
  snapshot_.log.trouble.clear();
  expect("No warning and no error since this program started.");
}

TEST_F(StatusPageTest, HasTheConfigurationFoldedUnlessItIsPaused) {
  expect("/etc/echod.toml, applied 2025-11-28 03:20:01 UTC; 5 reloads applied, 6 refused.");
  expect(" workers = 2 ");
  expect_none("<details open");
  EXPECT_NE(page().find("http-equiv=\"refresh\""), std::string::npos);
  const std::string paused = status_page(snapshot_, history_, PageRefresh::never);
  EXPECT_NE(paused.find("<details open"), std::string::npos);
  EXPECT_EQ(paused.find("http-equiv=\"refresh\""), std::string::npos);
}

TEST_F(StatusPageTest, OfAProcessThatHasNothingYetIsComplete) {
  snapshot_ = {};
  expect("echod: starting, 0 connections");
  expect("Listeners There are none.");
  expect("Workers There are none.");
}

TEST_F(StatusPageTest, HasNoScriptAndNamesNoOtherFile) {
  for (const char* const part :
       {"<script", "<img", "<link", "url(", "src=", "http://", "https://"}) {
    expect_none(part);
  }
}

// The elements of a page, without their contents and attributes.
std::string skeleton(const std::string& html) {
  std::string tags;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find_first_of(" >", at);
    tags += html.substr(at, end - at);
  }
  return tags;
}

TEST_F(StatusPageTest, TextFromOutsideAddsNoElement) {
  std::mt19937_64 random(announce_seed());
  const std::string harmless = skeleton(page());
  const std::vector<std::string> pieces{
      "<",      ">",    "\"",  "'",    "&",    "&lt;",     "<script>",           "</style>",
      "</pre>", "<!--", "]]>", "\xFF", "\xC3", "\xE2\x80", std::string(1, '\0'), "\r",
      "\n",     "\x1B", "text"};
  for (int round = 0; round < 200; ++round) {
    const auto hostile = [&] {
      std::string text = "x";
      for (int i = 0; i < 12; ++i) {
        text += pieces[random() % pieces.size()];
      }
      return text;
    };
    snapshot_.version = hostile();
    snapshot_.service.upgrades.earlier_version = hostile();
    snapshot_.service.config_name = hostile();
    snapshot_.service.config_text = hostile();
    snapshot_.log.file_level = hostile();
    snapshot_.log.stderr_level = hostile();
    snapshot_.log.trouble = {hostile()};
    snapshot_.listeners[0].address = hostile();
    ASSERT_EQ(skeleton(page()), harmless) << page();
  }
}

}  // namespace
}  // namespace echod::test
