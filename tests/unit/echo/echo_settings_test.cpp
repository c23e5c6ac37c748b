// Every value of the configuration that workers need reaches them; echo_context_test has what they
// do with it.
#include "echo/echo_settings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <tuple>

#include "config/config_keys.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

auto fields(const EchoSettings& settings) {
  return std::tie(settings.max_connections, settings.block_bytes, settings.buffer_bytes,
                  settings.turn_bytes, settings.turn_reads, settings.turn_accepts,
                  settings.busy_poll, settings.timeouts, settings.splice.pipes,
                  settings.datagrams_per_source, settings.log_lines_per_second,
                  settings.logs_echoes);
}

// Another value that the key takes.
Value other_value(const Key& key, const Config& config) {
  const Value value = key.member.get(config, 0);
  if (key.allowed.type == KeyType::level) {
    return std::string("trace");
  }
  return std::get<std::int64_t>(value) + 4;
}

TEST(EchoSettingsTest, AreTheValuesOfTheirKeys) {
  Config config;
  config.busy_poll = 3us;
  config.buffers = {.per_connection_kib = 5, .total_mib = 6};
  config.turn = {.bytes_kib = 7, .reads = 8, .accepts = 9};
  config.timeouts = {.idle = 10s, .stalled_write = 11s, .linger = 12s, .drain = 13s};
  config.log.connection_lines_per_second = 14;
  config.limits.datagrams_per_source = 17;
  const EchoSettings expected{.max_connections = 15,
                              .block_bytes = 5 * 1024,
                              .buffer_bytes = 3 * 1024 * 1024,  // Half of 6 MiB: two workers.
                              .turn_bytes = 7 * 1024,
                              .turn_reads = 8,
                              .turn_accepts = 9,
                              .busy_poll = 3us,
                              .timeouts = config.timeouts,
                              .splice = {.pipes = 16},
                              .datagrams_per_source = 17,
                              .log_lines_per_second = 14,
                              .logs_echoes = false};
  EXPECT_EQ(fields(echo_settings(config, 15, 2, {.pipes = 16})), fields(expected));
}

TEST(EchoSettingsTest, EveryKeyThatAReloadAppliesChangesThemUnlessTheServiceAppliesItItself) {
  const std::set<std::string> of_the_service{"limits.max_connections", "buffers.splice",
                                             "log.file"};
  const Config before;
  for (const Key& key : config_keys()) {
    if (key.reload != Reload::at_once || of_the_service.contains(key.dotted_name())) {
      continue;
    }
    Config after = before;
    ASSERT_EQ(assign(key, after, other_value(key, before)), std::nullopt) << key.dotted_name();
    EXPECT_NE(fields(echo_settings(before, 1, 1)), fields(echo_settings(after, 1, 1)))
        << key.dotted_name();
  }
}

}  // namespace
}  // namespace echod::test
