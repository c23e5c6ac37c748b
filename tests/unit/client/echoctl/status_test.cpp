#include "client/echoctl/status.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "client/echoctl/exit_codes.hpp"
#include "status_example.hpp"

namespace echod::ctl {
namespace {

using test::connections_example;
using test::status_example;
using Json = nlohmann::json;

void expect_not_understood(const std::string& json,
                           const std::function<void(const std::string&)>& parse) {
  try {
    parse(json);
    ADD_FAILURE() << json;
  } catch (const FatalError& error) {
    EXPECT_EQ(error.code(), ExitCode::protocol);
    EXPECT_TRUE(std::string(error.what()).starts_with("echod's answer is not understood"))
        << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST(StatusTest, UdpListenersMayBeMissing) {
  Json example = status_example();
  EXPECT_TRUE(parse_status(example.dump()).datagram_listeners.empty());
  example["datagram_listeners"] = Json::parse(
      R"([{"address": "udp [::]:2003", "queued_bytes": 768, "dropped": 17, "is_open": false}])");
  const Status status = parse_status(example.dump());
  ASSERT_EQ(status.datagram_listeners.size(), 1U);
  EXPECT_EQ(status.datagram_listeners[0].address, "udp [::]:2003");
  EXPECT_EQ(status.datagram_listeners[0].queued_bytes, 768U);
  EXPECT_EQ(status.datagram_listeners[0].dropped, 17U);
  EXPECT_FALSE(status.datagram_listeners[0].is_open);
}

TEST(StatusTest, TheQueueOfAListenerMayBeUnknown) {
  Json example = status_example();
  for (const char* const name : {"waiting", "queue_limit", "dropped"}) {
    example["listeners"][0][name] = nullptr;
  }
  const Listener listener = parse_status(example.dump()).listeners.at(0);
  EXPECT_EQ(listener.waiting, std::nullopt);
  EXPECT_EQ(listener.queue_limit, std::nullopt);
  EXPECT_EQ(listener.dropped, std::nullopt);
}

void parse_a_status(const std::string& json) {
  (void)parse_status(json);
}

TEST(StatusTest, AStatusHasEveryFigure) {
  const Status status = parse_status(status_example().dump());
  EXPECT_EQ(status.version, "0.1.0");
  EXPECT_EQ(status.pid, 4711);
  EXPECT_EQ(status.phase, "serving");
  EXPECT_EQ(status.now - status.started_at, 1000);
  EXPECT_EQ(status.connections, 12U);
  EXPECT_EQ(status.max_connections, 1000U);
  EXPECT_EQ(status.open_files, 40U);
  EXPECT_EQ(status.open_files_limit, 1024U);
  EXPECT_EQ(status.buffered_bytes, 4096U);
  EXPECT_EQ(status.buffer_bytes_limit, 67108864U);
  EXPECT_EQ(status.config.name, "/etc/echod.toml");
  EXPECT_EQ(status.config.reloads_applied, 2U);
  ASSERT_EQ(status.listeners.size(), 1U);
  EXPECT_EQ(status.listeners[0].address, "[::]:2003");
  EXPECT_EQ(status.listeners[0].waiting, 3U);
  EXPECT_EQ(status.listeners[0].queue_limit, 1024U);
  ASSERT_EQ(status.workers.size(), 2U);
  EXPECT_EQ(status.workers[1].number, 1U);
  EXPECT_EQ(status.workers[0].connections, 9U);
  EXPECT_EQ(status.counter("closed_reset"), 8U);
  EXPECT_EQ(status.counter("no_such_counter"), 0U);
  EXPECT_EQ(status.server_delay.count(), 10U);
  EXPECT_EQ(status.server_delay.ranges[1].most_s, 0.00002);
  EXPECT_EQ(status.server_delay.ranges[2].most_s, std::nullopt);
  EXPECT_EQ(status.log.file_level, "debug");
  EXPECT_EQ(status.cpu_system_s, 2.5);
  EXPECT_EQ(status.resident_bytes, 12582912U);
}

TEST(StatusTest, AStatusSaysWhichUpgradesThereWere) {
  Json example = status_example();
  example["program_started_at"] = 1764400500.5;
  example["config"]["is_reload_in_progress"] = true;
  example["upgrades"] = {{"done", 1},
                         {"refused", 2},
                         {"failed", 3},
                         {"last_pause_s", 0.031},
                         {"last_connections", 4},
                         {"earlier_version", "0.0.9\n"},
                         {"last_error", "why"}};
  const Status status = parse_status(example.dump());
  EXPECT_EQ(status.now - status.program_started_at, 500);
  EXPECT_TRUE(status.config.is_reload_in_progress);
  EXPECT_EQ(status.upgrades.done, 1U);
  EXPECT_EQ(status.upgrades.refused, 2U);
  EXPECT_EQ(status.upgrades.failed, 3U);
  EXPECT_EQ(status.upgrades.last_pause_s, 0.031);
  EXPECT_EQ(status.upgrades.last_connections, 4U);
  EXPECT_EQ(status.upgrades.earlier_version, "0.0.9\\n");
  EXPECT_EQ(status.upgrades.last_error, "why");
}

TEST(StatusTest, TheOrderOfAnUpgradeIsRead) {
  const UpgradeOrder order = parse_upgrade_order(R"({"started_at": 17.5,
    "config": {"reloads_applied": 1, "reloads_refused": 2},
    "upgrades": {"done": 3, "refused": 4, "failed": 5}})");
  EXPECT_EQ(order.started_at, 17.5);
  EXPECT_EQ(order.reloads_applied, 1U);
  EXPECT_EQ(order.reloads_refused, 2U);
  EXPECT_EQ(order.upgrades_done, 3U);
  EXPECT_EQ(order.upgrades_refused, 4U);
  EXPECT_EQ(order.upgrades_failed, 5U);
}

TEST(StatusTest, AnAnswerWithoutAFigureIsNotUnderstood) {
  const Json example = status_example();
  for (const auto& [name, value] : example.items()) {
    Json without = example;
    without.erase(name);
    expect_not_understood(without.dump(), parse_a_status);
  }
}

TEST(StatusTest, AnAnswerWithAValueOfAnotherTypeIsNotUnderstood) {
  const Json example = status_example();
  for (const auto& [name, value] : example.items()) {
    Json other = example;
    other[name] = value.is_string() ? Json(1) : Json("text");
    expect_not_understood(other.dump(), parse_a_status);
  }
}

TEST(StatusTest, FiguresOfALaterVersionAreIgnored) {
  Json later = status_example();
  later["moon"] = "full";
  later["workers"][0]["cpu"] = nullptr;
  EXPECT_EQ(parse_status(later.dump()).workers.size(), 2U);
}

TEST(StatusTest, WhatIsNotJsonIsNotUnderstood) {
  for (const std::string text : {"", "ok\n", "{", "[]", "\xff"}) {
    expect_not_understood(text, parse_a_status);
    expect_not_understood(text, [](const std::string& json) { (void)parse_connections(json); });
    expect_not_understood(text, [](const std::string& json) { (void)parse_closed(json); });
    expect_not_understood(text, [](const std::string& json) { (void)parse_log_levels(json); });
    expect_not_understood(text, [](const std::string& json) { (void)parse_upgrade_order(json); });
  }
}

// Texts go to terminals, and some of them were chosen by others: a log line, a file name.
TEST(StatusTest, ControlCharactersInTextsAreEscaped) {
  Json hostile = status_example();
  hostile["log"]["trouble"] = {"\x1b[2Jgone\n"};
  hostile["config"]["name"] = "a\rb";
  hostile["unhealthy_because"] = "\x07";
  const Status status = parse_status(hostile.dump());
  EXPECT_EQ(status.log.trouble.at(0), "\\x1b[2Jgone\\n");
  EXPECT_EQ(status.config.name, "a\\rb");
  EXPECT_EQ(status.unhealthy_because, "\\x07");
}

TEST(StatusTest, AListHasEveryConnection) {
  Json example = connections_example();
  example["silent_workers"] = {3, 5};
  const ConnectionList list = parse_connections(example.dump());
  EXPECT_EQ(list.total, 3U);
  EXPECT_EQ(list.silent_workers, (std::vector<std::uint64_t>{3, 5}));
  ASSERT_EQ(list.connections.size(), 2U);
  const Connection& first = list.connections.front();
  EXPECT_EQ(first.id, "0-17-3fa");
  EXPECT_EQ(first.peer, "192.0.2.1:40000");
  EXPECT_EQ(first.listener, "[::]:2003");
  EXPECT_EQ(first.worker, 0U);
  EXPECT_EQ(first.age_s, 3725);
  EXPECT_EQ(first.idle_s, 0.01);
  EXPECT_EQ(first.bytes_received, 2048U);
  EXPECT_EQ(list.connections[1].owed_bytes, 7U);
  EXPECT_EQ(list.connections[1].state, "flushing");
}

TEST(StatusTest, TheNumberOfClosedConnectionsAndTheLogLevelsAreRead) {
  const ClosedConnections closed = parse_closed(R"({"closed": 17, "silent_workers": [2]})");
  EXPECT_EQ(closed.closed, 17U);
  EXPECT_EQ(closed.silent_workers, std::vector<std::uint64_t>{2});
  const LogLevels levels = parse_log_levels(R"({"file_level": "debug", "stderr_level": "info"})");
  EXPECT_EQ(levels.file, "debug");
  EXPECT_EQ(levels.standard_error, "info");
  EXPECT_EQ(log_levels_json(levels), "{\"file_level\":\"debug\",\"stderr_level\":\"info\"}\n");
}

}  // namespace
}  // namespace echod::ctl
