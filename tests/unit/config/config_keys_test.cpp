#include "config/config_keys.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>

namespace echod {
namespace {

using namespace std::chrono_literals;

bool accepts(const Key& key, const Value& value) {
  Config config;
  return !assign(key, config, value);
}

bool is_number(const Key& key) {
  return key.allowed.type == KeyType::integer || key.allowed.type == KeyType::seconds;
}

// The value as the key expects it: an integer for an integer key.
Value number(const Key& key, double value) {
  return key.allowed.type == KeyType::integer ? Value(std::llround(value)) : Value(value);
}

Config with(std::string_view section, std::string_view name, const Value& value) {
  Config config;
  EXPECT_EQ(assign(*find_key(section, name), config, value), std::nullopt);
  return config;
}

TEST(ConfigKeys, HaveUniqueNames) {
  std::set<std::string> names;
  for (const Key& key : config_keys()) {
    EXPECT_TRUE(names.insert(key.dotted_name()).second) << key.dotted_name();
    EXPECT_EQ(find_key(key.section, key.name), &key);
  }
  EXPECT_EQ(names.size(), 40U);
  EXPECT_EQ(find_key("limits", "port"), nullptr);
}

TEST(ConfigKeys, AreGroupedBySection) {
  const auto sections = config_sections();
  EXPECT_EQ(std::set(sections.begin(), sections.end()).size(), sections.size());
  EXPECT_EQ(sections.front(), kListenSection);
}

TEST(ConfigKeys, AcceptTheirDefaults) {
  Config config;
  for (const Key& key : config_keys()) {
    EXPECT_EQ(assign(key, config, key.member.get(config, 0)), std::nullopt) << key.dotted_name();
  }
  EXPECT_EQ(config, Config{});
}

TEST(ConfigKeys, AcceptTheBoundsOfTheirRangeAndRefuseValuesOutside) {
  for (const Key& key : config_keys()) {
    if (!is_number(key)) {
      continue;
    }
    const double step = key.allowed.type == KeyType::integer ? 1 : 0.01;
    const auto& [type, min, max, or_zero, or_none] = key.allowed;
    EXPECT_TRUE(accepts(key, number(key, min))) << key.dotted_name();
    EXPECT_TRUE(accepts(key, number(key, max))) << key.dotted_name();
    EXPECT_FALSE(accepts(key, number(key, min - step))) << key.dotted_name();
    EXPECT_FALSE(accepts(key, number(key, max + step))) << key.dotted_name();
    EXPECT_EQ(accepts(key, std::int64_t{0}), or_zero || min == 0) << key.dotted_name();
  }
}

TEST(ConfigKeys, RefuseEveryOtherTypeAndExtremeNumbers) {
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto kHighest = std::numeric_limits<std::int64_t>::max();
  for (const Key& key : config_keys()) {
    const KeyType type = key.allowed.type;
    const bool is_boolean = type == KeyType::boolean;
    EXPECT_EQ(accepts(key, true), is_boolean) << key.dotted_name();
    EXPECT_FALSE(accepts(key, kLowest)) << key.dotted_name();
    EXPECT_FALSE(accepts(key, kHighest)) << key.dotted_name();
    EXPECT_FALSE(accepts(key, std::nan(""))) << key.dotted_name();
    EXPECT_FALSE(accepts(key, std::numeric_limits<double>::infinity())) << key.dotted_name();
    EXPECT_EQ(accepts(key, 100.0), type == KeyType::seconds) << key.dotted_name();
    EXPECT_EQ(accepts(key, std::string()), type == KeyType::path || key.allowed.or_none)
        << key.dotted_name();
  }
}

TEST(ConfigKeys, LeaveTheConfigurationUnchangedWhenTheyRefuse) {
  Config config;
  EXPECT_NE(assign(*find_key("turn", "reads"), config, std::int64_t{0}), std::nullopt);
  EXPECT_EQ(config, Config{});
}

TEST(ConfigKeys, SayWhatIsWrongAndWhatIsAllowed) {
  Config config;
  const auto fault = [&config](std::string_view section, std::string_view name,
                               const Value& value) {
    return assign(*find_key(section, name), config, value).value_or("none");
  };
  EXPECT_EQ(fault("listen", "port", std::int64_t{70000}), "70000 is out of range; use 0 to 65535");
  EXPECT_EQ(fault("limits", "open_files", std::int64_t{63}),
            "63 is out of range; use 0 or 64 to 1073741816");
  EXPECT_EQ(fault("timeouts", "idle_s", 0.05), "0.05 is out of range; use 0 or 0.1 to 31536000");
  EXPECT_EQ(fault("listen", "port", std::string("http")),
            "\"http\" is a string instead of an integer; use 0 to 65535");
  EXPECT_EQ(fault("timeouts", "idle_s", true),
            "true is a boolean instead of a number; use 0 or 0.1 to 31536000");
  EXPECT_EQ(fault("socket", "no_delay", std::int64_t{1}),
            "1 is an integer instead of a boolean; use true or false");
  EXPECT_EQ(fault("log", "file", 1.5),
            "1.5 is a float instead of a string; use paths, or \"\" for none");
  EXPECT_EQ(fault("log", "file_level", std::string("warn")),
            "\"warn\" is not a log level; use trace, debug, info, warning, error, critical "
            "or off");
  EXPECT_EQ(fault("listen", "protocol", std::string("UDP")),
            "\"UDP\" is not a protocol; use tcp or udp");
  EXPECT_EQ(fault("listen", "address", std::string("localhost")),
            "\"localhost\" is not an IP address; use IP addresses such as \"::\" or "
            "\"192.0.2.1\"");
  EXPECT_EQ(fault("listen", "address", std::string("fe80::1%no-such-interface")),
            "\"fe80::1%no-such-interface\" is not an IP address on an interface of this host; "
            "use IP addresses such as \"::\" or \"192.0.2.1\"");
}

TEST(ConfigKeys, NameTheEmptyTextOnlyWhereItIsAllowed) {
  EXPECT_EQ(allowed_text(find_key("admin", "address")->allowed),
            "IP addresses such as \"::\" or \"192.0.2.1\", or \"\" for none");
  EXPECT_EQ(allowed_text(find_key("listen", "address")->allowed),
            "IP addresses such as \"::\" or \"192.0.2.1\"");
}

TEST(ConfigKeys, RefuseAddressesOnWhichNoConnectionCanArrive) {
  const auto fault = [](const std::string& address) {
    Config config;
    const std::string text = assign(*find_key("listen", "address"), config, address).value_or("");
    return text.substr(0, text.find("; use IP addresses such as"));
  };
  for (const std::string address : {"fe80::1", "febf::1", "fe80::1%0"}) {
    EXPECT_EQ(fault(address), '"' + address +
                                  "\" is link-local and needs an interface, such as "
                                  "\"fe80::1%eth0\"");
  }
  for (const std::string address : {"::1%lo", "::%lo", "2001:db8::1%1", "::ffff:127.0.0.1%lo"}) {
    EXPECT_EQ(fault(address), '"' + address +
                                  "\" must not name an interface, because it is not "
                                  "link-local (fe80::/10)");
  }
  for (const std::string address : {"224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1",
                                    "ff02::1%lo", "::ffff:224.0.0.1", "::ffff:255.255.255.255"}) {
    EXPECT_EQ(fault(address), '"' + address +
                                  "\" is a multicast or broadcast address, from which no "
                                  "echo can be sent");
  }
  for (const std::string address : {"fe80::1%no-such-interface", "fe80::1%4294967295"}) {
    EXPECT_EQ(fault(address),
              '"' + address + "\" is not an IP address on an interface of this host");
  }
  for (const std::string address : {"fe80::1%lo", "::1%0", "fec0::1", "223.255.255.255",
                                    "240.0.0.1", "169.254.0.1", "::ffff:0.0.0.0"}) {
    EXPECT_EQ(fault(address), "");
  }
}

TEST(ConfigKeys, RefuseMalformedAddressesAndPaths) {
  using namespace std::string_literals;
  const Key& address = *find_key("listen", "address");
  const Key& file = *find_key("log", "file");
  EXPECT_FALSE(accepts(address, "::\0evil"s));
  EXPECT_FALSE(accepts(address, "127.1"s));
  EXPECT_FALSE(accepts(address, "[::1]"s));
  EXPECT_FALSE(accepts(file, "a\0b"s));
  EXPECT_FALSE(accepts(file, "a\nb"s));
  EXPECT_FALSE(accepts(file, "\x1B[2J"s));
  EXPECT_FALSE(accepts(file, "\xFF"s));
  EXPECT_TRUE(accepts(file, "/var/log/gr\xC3\xB6\xC3\x9F \"1\"\\.log"s));
}

TEST(ConfigKeys, ConvertToTheUnitsInMemory) {
  EXPECT_EQ(with("socket", "keepalive_idle_s", std::int64_t{90}).socket.keepalive_idle, 90s);
  EXPECT_EQ(with("timeouts", "idle_s", 0.25).timeouts.idle, 250ms);
  EXPECT_EQ(with("timeouts", "idle_s", 31536000.0).timeouts.idle, 24h * 365);
  EXPECT_EQ(with("timeouts", "drain_s", std::int64_t{5}).timeouts.drain, 5s);
  EXPECT_EQ(with("timeouts", "drain_s", -0.0).timeouts.drain, 0ms);
}

TEST(ConfigKeys, NeverRoundAShortTimeToZero) {
  EXPECT_EQ(with("socket", "user_timeout_s", 0.0001).socket.user_timeout, 1ms);
  EXPECT_EQ(with("timeouts", "linger_s", 0.0016).timeouts.linger, 2ms);
}

TEST(ConfigKeys, SetAddressAndPortOfAListenerSeparately) {
  Config config;
  config.listen.resize(2);
  EXPECT_EQ(assign(*find_key("listen", "port"), config, std::int64_t{7}, 1), std::nullopt);
  EXPECT_EQ(assign(*find_key("listen", "address"), config, std::string("192.0.2.1"), 1),
            std::nullopt);
  EXPECT_EQ(config.listen[0], ListenConfig{});
  EXPECT_EQ(config.listen[1].address.text(), "192.0.2.1:7");
}

TEST(ConfigKeys, ReadAnIpv4MappedAddressAsTheIpv4Address) {
  EXPECT_EQ(with("listen", "address", std::string("::ffff:192.0.2.1")),
            with("listen", "address", std::string("192.0.2.1")));
}

TEST(ConfigReload, NeedsNoUpgradeIfNothingChanged) {
  EXPECT_TRUE(keys_needing_upgrade(Config{}, Config{}).empty());
}

TEST(ConfigReload, AppliesOnlyTheseKeysAtOnce) {
  const std::set<std::string> at_once{"busy_poll_us",
                                      "limits.max_connections",
                                      "limits.datagrams_per_source",
                                      "buffers.per_connection_kib",
                                      "buffers.total_mib",
                                      "buffers.splice",
                                      "turn.bytes_kib",
                                      "turn.reads",
                                      "turn.accepts",
                                      "timeouts.idle_s",
                                      "timeouts.stalled_write_s",
                                      "timeouts.linger_s",
                                      "timeouts.drain_s",
                                      "log.file",
                                      "log.file_level",
                                      "log.stderr_level",
                                      "log.connection_lines_per_second"};
  for (const Key& key : config_keys()) {
    EXPECT_EQ(key.reload == Reload::at_once, at_once.contains(key.dotted_name()))
        << key.dotted_name();
  }
}

TEST(ConfigReload, NamesTheChangedKeysThatNeedAnUpgrade) {
  Config wanted;
  wanted.workers = 2;
  wanted.limits.max_connections = 5;  // At once.
  wanted.limits.open_files = 1024;
  wanted.socket.no_delay = false;
  wanted.log.queue_lines = 16;
  EXPECT_EQ(keys_needing_upgrade(Config{}, wanted),
            (std::vector<std::string>{"workers", "limits.open_files", "socket.no_delay",
                                      "log.queue_lines"}));
}

TEST(ConfigReload, NamesChangedListenersOnce) {
  const std::vector<std::string> listen{"listen"};
  Config wanted;
  wanted.listen[0].backlog = 5;
  wanted.listen[0].v6only = true;
  EXPECT_EQ(keys_needing_upgrade(Config{}, wanted), listen);
  wanted.listen = {ListenConfig{}, ListenConfig{}};
  EXPECT_EQ(keys_needing_upgrade(Config{}, wanted), listen);
  wanted.listen = {ListenConfig{}};
  wanted.listen[0].address.set_port(7);
  EXPECT_EQ(keys_needing_upgrade(Config{}, wanted), listen);
}

TEST(ConfigKeys, SayWhatIsWrongWithAPathItsModeAndItsOwner) {
  unsetenv("RUNTIME_DIRECTORY");
  Config config;
  const auto fault = [&config](std::string_view name, const std::string& value) {
    return assign(*find_key("listen", name), config, value).value_or("");
  };
  EXPECT_EQ(fault("path", "/" + std::string(102, 'a')), "");
  EXPECT_EQ(fault("path", "a.sock"),
            "\"a.sock\" is relative to $RUNTIME_DIRECTORY, which is not set; use paths of "
            "at most 103 bytes, or \"\" for none");
  EXPECT_TRUE(fault("path", "/" + std::string(103, 'a')).find("is too long for a socket") !=
              std::string::npos);
  EXPECT_NE(fault("path", "/a\nb"), "");
  for (const std::string mode : {"0", "660", "0660", "0777"}) {
    EXPECT_EQ(fault("mode", mode), "") << mode;
  }
  EXPECT_EQ(fault("mode", "1777"),
            "\"1777\" is not a mode; use octal digits, \"0000\" to \"0777\"");
  for (const std::string mode : {"", "0668", "-1", "0660 ", "rw", "0x1"}) {
    EXPECT_NE(fault("mode", mode), "") << mode;
  }
  EXPECT_EQ(fault("owner", "no-such-user"),
            "\"no-such-user\" is not a user of this host; use names and numbers of users, "
            "or \"\" for none");
  EXPECT_EQ(fault("group", "4294967295"),
            "\"4294967295\" is not a group of this host; use names and numbers of groups, "
            "or \"\" for none");
}

TEST(ConfigKeys, PutARelativePathIntoTheRuntimeDirectory) {
  setenv("RUNTIME_DIRECTORY", "/run/echod", 1);
  EXPECT_EQ(with("listen", "path", std::string("a.sock")).listen[0].path, "/run/echod/a.sock");
  Config config;
  EXPECT_NE(assign(*find_key("listen", "path"), config, std::string(93, 'a')), std::nullopt);
  EXPECT_EQ(assign(*find_key("listen", "path"), config, std::string(92, 'a')), std::nullopt);
  unsetenv("RUNTIME_DIRECTORY");
}

// So that a program that takes over does not look for the name again.
TEST(ConfigKeys, ReadBackTheNumberOfAnOwner) {
  const Config config = with("listen", "owner", std::string("root"));
  EXPECT_EQ(config.listen[0].owner, 0U);
  EXPECT_EQ(find_key("listen", "owner")->member.get(config, 0), Value(std::string("0")));
  EXPECT_EQ(with("listen", "group", std::string("7")).listen[0].group, 7U);
  EXPECT_EQ(with("listen", "group", std::string()).listen[0].group, std::nullopt);
}

}  // namespace
}  // namespace echod
