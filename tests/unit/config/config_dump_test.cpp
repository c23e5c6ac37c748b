#include "config/config_dump.hpp"

#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "config/config_errors.hpp"
#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "config/key_type.hpp"
#include "config/listener_conflict.hpp"
#include "seed.hpp"

namespace echod {
namespace {

using Random = std::mt19937_64;

std::int64_t between(Random& random, std::int64_t min, std::int64_t max) {
  // Mistakes are likely at the bounds, so each bound is as likely as all values between them.
  switch (std::uniform_int_distribution(0, 2)(random)) {
    case 0:
      return min;
    case 1:
      return max;
    default:
      return std::uniform_int_distribution(min, max)(random);
  }
}

std::string one_of(Random& random, const std::vector<std::string>& choices) {
  return choices[std::uniform_int_distribution<std::size_t>(0, choices.size() - 1)(random)];
}

Value random_number(Random& random, const Allowed& allowed) {
  if (allowed.or_zero && std::bernoulli_distribution(0.2)(random)) {
    return std::int64_t{0};
  }
  if (allowed.type == KeyType::integer) {
    return between(random, static_cast<std::int64_t>(allowed.min),
                   static_cast<std::int64_t>(allowed.max));
  }
  return std::uniform_real_distribution(allowed.min, allowed.max)(random);
}

Value random_value(Random& random, const Allowed& allowed) {
  static const std::vector<std::string> paths{
      "", "a.log", R"(/var/log/"x"\y')", "gr\xC3\xB6\xC3\x9F", "'''", "\xC2\x85#=[]", " "};
  static const std::vector<std::string> addresses{"::", "0.0.0.0", "127.0.0.1", "2001:db8::1",
                                                  "fe80::1%1"};
  switch (allowed.type) {
    case KeyType::boolean:
      return std::bernoulli_distribution(0.5)(random);
    case KeyType::integer:
    case KeyType::seconds:
      return random_number(random, allowed);
    case KeyType::level:
      return std::string(level_name(static_cast<LogLevel>(between(random, 0, 6))));
    case KeyType::protocol:
      return one_of(random, {"tcp", "udp"});
    case KeyType::address:
      return allowed.or_none && std::bernoulli_distribution(0.2)(random)
                 ? std::string()
                 : one_of(random, addresses);
    case KeyType::path:
      break;
    case KeyType::socket_path:
      return one_of(random, {"", "", "/run/a.sock", "/run/gr\xC3\xB6\xC3\x9F \"1\"",
                             "/" + std::string(102, 'a')});
    case KeyType::mode:
      return mode_text(static_cast<std::uint32_t>(between(random, 0, 0777)));
    case KeyType::user:
    case KeyType::group:
      return one_of(random, {"", "root", "0", "4711", "4294967294"});
  }
  return one_of(random, paths);
}

// Removes the listeners that conflict with an earlier one, and the address of the admin thread if
// it conflicts with one that is left.
void drop_conflicts(Config& config) {
  std::vector<ListenConfig> kept;
  const auto conflicts = [&kept](const ListenConfig& listener) {
    return std::any_of(kept.begin(), kept.end(), [&listener](const ListenConfig& earlier) {
      return listener_conflict(earlier, listener).has_value();
    });
  };
  for (const ListenConfig& listener : config.listen) {
    if (!conflicts(listener)) {
      kept.push_back(listener);
    }
  }
  config.listen = kept;
  const auto admin = parse_address(config.admin.address, config.admin.port);
  if (admin && conflicts({.address = *admin})) {
    config.admin.address = "";
  }
}

Config random_config(Random& random) {
  Config config;
  config.listen.resize(static_cast<std::size_t>(between(random, 1, 6)));
  for (const Key& key : config_keys()) {
    const std::size_t entries = key.section == kListenSection ? config.listen.size() : 1;
    for (std::size_t entry = 0; entry < entries; ++entry) {
      EXPECT_EQ(assign(key, config, random_value(random, key.allowed), entry), std::nullopt);
    }
  }
  for (ListenConfig& listener : config.listen) {
    if (listener.is_local()) {  // Then the file cannot set the other keys.
      const ListenConfig defaults;
      listener.protocol = defaults.protocol;
      listener.address = defaults.address;
      listener.v6only = defaults.v6only;
    }
  }
  drop_conflicts(config);
  config.buffers.total_mib = std::max(config.buffers.total_mib, 4U);
  return config;
}

TEST(ConfigDump, HasEveryKey) {
  const std::string dump = dump_config(Config{});
  for (const Key& key : config_keys()) {
    EXPECT_NE(dump.find("\n" + std::string(key.name) + " = "), std::string::npos)
        << key.dotted_name();
  }
}

TEST(ConfigDump, WritesValuesInTheUnitsOfTheKeys) {
  Config config;
  config.timeouts.idle = std::chrono::milliseconds(1500);
  config.socket.send_buffer_kib = 4;
  const std::string dump = dump_config(config);
  EXPECT_NE(dump.find("\nidle_s = 1.5\n"), std::string::npos);
  EXPECT_NE(dump.find("\ndrain_s = 30\n"), std::string::npos);
  EXPECT_NE(dump.find("\nsend_buffer_kib = 4\n"), std::string::npos);
}

// The index of the interface may change when the host restarts.
TEST(ConfigDump, NamesTheInterfaceOfALinkLocalAddress) {
  Config config;
  config.listen.front().address = SocketAddress::parse("fe80::1%1", 2003).value();
  std::array<char, IF_NAMESIZE> name{};
  ASSERT_NE(if_indextoname(1, name.data()), nullptr);
  const std::string setting = "\naddress = \"fe80::1%" + std::string(name.data()) + "\"\n";
  EXPECT_NE(dump_config(config).find(setting), std::string::npos) << dump_config(config);
}

TEST(ConfigDump, ReadsBackAsTheDefaults) {
  EXPECT_EQ(parse_config(dump_config(Config{}), "dump"), Config{});
}

TEST(ConfigDump, ReadsBackAsTheDumpedConfiguration) {
  Random random(test::announce_seed());
  for (int round = 0; round < 500; ++round) {
    const Config config = random_config(random);
    const std::string dump = dump_config(config);
    try {
      ASSERT_EQ(parse_config(dump, "dump"), config) << dump;
    } catch (const ConfigErrors& errors) {
      FAIL() << errors.what() << "\n" << dump;
    }
  }
}

}  // namespace
}  // namespace echod
