#include "config/config_keys.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>

#include "config/unit_directory.hpp"
#include "config/user_id.hpp"

namespace echod {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// load() converts a member to the value in the file; store() converts a checked value to a member.

Value load(bool member) {
  return member;
}
Value load(std::integral auto member) {
  return std::int64_t{member};
}
Value load(const std::string& member) {
  return member;
}
Value load(LogLevel member) {
  return std::string(level_name(member));
}
Value load(Protocol member) {
  return std::string(protocol_name(member));
}
template <class Period>
Value load(std::chrono::duration<std::int64_t, Period> member) {
  return member.count();
}
Value load(milliseconds member) {
  const auto whole = std::chrono::duration_cast<seconds>(member);
  return whole == member ? load(whole) : Value(std::chrono::duration<double>(member).count());
}

void store(bool& member, const Value& value) {
  member = std::get<bool>(value);
}
template <std::integral Integer>
void store(Integer& member, const Value& value) {
  member = static_cast<Integer>(std::get<std::int64_t>(value));
}
void store(std::string& member, const Value& value) {
  member = std::get<std::string>(value);
}
void store(LogLevel& member, const Value& value) {
  member = parse_level(std::get<std::string>(value)).value();
}
void store(Protocol& member, const Value& value) {
  member = parse_protocol(std::get<std::string>(value)).value();
}
template <class Period>
void store(std::chrono::duration<std::int64_t, Period>& member, const Value& value) {
  member = std::chrono::duration<std::int64_t, Period>(std::get<std::int64_t>(value));
}
void store(milliseconds& member, const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    member = seconds(*whole);
    return;
  }
  const double exact = std::get<double>(value) * 1000;
  // 0 has a special meaning, so a short time is not rounded down to 0.
  member = milliseconds(exact > 0 ? std::max(1LL, std::llround(exact)) : 0);
}

// The value at the end of a path of members, such as <&Config::turn, &TurnConfig::reads>.
template <auto... kMembers>
constexpr Member kMember{
    [](const Config& config, std::size_t /*entry*/) { return load((config.*....*kMembers)); },
    [](Config& config, std::size_t /*entry*/, const Value& value) {
      store((config.*....*kMembers), value);
    }};

// A value of one [[listen]] entry.
template <auto kField>
constexpr Member kListenMember{
    [](const Config& config, std::size_t entry) { return load(config.listen[entry].*kField); },
    [](Config& config, std::size_t entry, const Value& value) {
      store(config.listen[entry].*kField, value);
    }};

// Address and port are two keys and one member.

Value load_address(const Config& config, std::size_t entry) {
  const SocketAddress& address = config.listen[entry].address;
  const std::string interface = address.interface();
  const std::string host = address.host();
  return interface.empty() ? host : host.substr(0, host.find('%') + 1) + interface;
}
void store_address(Config& config, std::size_t entry, const Value& value) {
  SocketAddress& address = config.listen[entry].address;
  address = parse_address(std::get<std::string>(value), address.port()).value();
}
Value load_port(const Config& config, std::size_t entry) {
  return load(config.listen[entry].address.port());
}
void store_port(Config& config, std::size_t entry, const Value& value) {
  std::uint16_t port = 0;
  store(port, value);
  config.listen[entry].address.set_port(port);
}

Value load_path(const Config& config, std::size_t entry) {
  return load(config.listen[entry].path);
}
void store_path(Config& config, std::size_t entry, const Value& value) {
  config.listen[entry].path = in_runtime_directory(std::get<std::string>(value));
}
Value load_mode(const Config& config, std::size_t entry) {
  return mode_text(config.listen[entry].mode);
}
void store_mode(Config& config, std::size_t entry, const Value& value) {
  config.listen[entry].mode = parse_mode(std::get<std::string>(value)).value();
}

// A user or group. The value that is read back is its number: a program that takes over from this
// one, with clients waiting, does not look up the name again.
template <auto kField>
constexpr Member kIdMember{[](const Config& config, std::size_t entry) {
                             const std::optional<std::uint32_t>& id = config.listen[entry].*kField;
                             return load(id ? std::to_string(*id) : "");
                           },
                           [](Config& config, std::size_t entry, const Value& value) {
                             const auto& text = std::get<std::string>(value);
                             config.listen[entry].*kField =
                                 text.empty() ? std::nullopt
                                              : std::optional(parse_id(text).value());
                           }};

constexpr bool kOrZero = true;
constexpr Allowed integer(double min, double max, bool or_zero = false) {
  return {KeyType::integer, min, max, or_zero};
}
constexpr Allowed duration(double min, double max, bool or_zero = false) {
  return {KeyType::seconds, min, max, or_zero};
}
constexpr Allowed kBoolean{KeyType::boolean};
constexpr Allowed kAddress{KeyType::address};
constexpr Allowed kAddressOrNone{.type = KeyType::address, .or_none = true};
constexpr Allowed kLevel{KeyType::level};
constexpr Allowed kProtocol{KeyType::protocol};
constexpr Allowed kPathOrNone{.type = KeyType::path, .or_none = true};
constexpr Allowed kSocketPathOrNone{.type = KeyType::socket_path, .or_none = true};
constexpr Allowed kMode{KeyType::mode};
constexpr Allowed kUserOrNone{.type = KeyType::user, .or_none = true};
constexpr Allowed kGroupOrNone{.type = KeyType::group, .or_none = true};
constexpr auto kAtOnce = Reload::at_once;
constexpr auto kByUpgrade = Reload::by_upgrade;
constexpr bool kForIpOnly = true;

// The maximum of open_files is the value to which systemd raises fs.nr_open. The maxima of
// keepalive_* are the kernel's (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT).
constexpr auto kKeys = std::to_array<Key>({
    {kTopSection, "workers", integer(0, 1024), kByUpgrade, kMember<&Config::workers>},
    {kTopSection, "busy_poll_us", integer(0, 1000000), kAtOnce, kMember<&Config::busy_poll>},

    {kListenSection, "protocol", kProtocol, kByUpgrade, kListenMember<&ListenConfig::protocol>,
     kForIpOnly},
    {kListenSection, "address", kAddress, kByUpgrade, {load_address, store_address}, kForIpOnly},
    {kListenSection, "port", integer(0, 65535), kByUpgrade, {load_port, store_port}, kForIpOnly},
    {kListenSection, "backlog", integer(1, 1048576), kByUpgrade,
     kListenMember<&ListenConfig::backlog>},
    {kListenSection, "v6only", kBoolean, kByUpgrade, kListenMember<&ListenConfig::v6only>,
     kForIpOnly},
    {kListenSection, "path", kSocketPathOrNone, kByUpgrade, {load_path, store_path}},
    {kListenSection, "mode", kMode, kByUpgrade, {load_mode, store_mode}},
    {kListenSection, "owner", kUserOrNone, kByUpgrade, kIdMember<&ListenConfig::owner>},
    {kListenSection, "group", kGroupOrNone, kByUpgrade, kIdMember<&ListenConfig::group>},

    {"limits", "max_connections", integer(0, 10000000), kAtOnce,
     kMember<&Config::limits, &LimitsConfig::max_connections>},
    {"limits", "open_files", integer(64, 1073741816, kOrZero), kByUpgrade,
     kMember<&Config::limits, &LimitsConfig::open_files>},
    {"limits", "datagrams_per_source", integer(0, 1000000000), kAtOnce,
     kMember<&Config::limits, &LimitsConfig::datagrams_per_source>},

    {"buffers", "per_connection_kib", integer(4, 4096), kAtOnce,
     kMember<&Config::buffers, &BuffersConfig::per_connection_kib>},
    {"buffers", "total_mib", integer(1, 1048576), kAtOnce,
     kMember<&Config::buffers, &BuffersConfig::total_mib>},
    {"buffers", "splice", kBoolean, kAtOnce, kMember<&Config::buffers, &BuffersConfig::splice>},

    {"turn", "bytes_kib", integer(1, 65536), kAtOnce,
     kMember<&Config::turn, &TurnConfig::bytes_kib>},
    {"turn", "reads", integer(1, 1024), kAtOnce, kMember<&Config::turn, &TurnConfig::reads>},
    {"turn", "accepts", integer(1, 65536), kAtOnce, kMember<&Config::turn, &TurnConfig::accepts>},

    {"timeouts", "idle_s", duration(0.1, 31536000, kOrZero), kAtOnce,
     kMember<&Config::timeouts, &TimeoutsConfig::idle>},
    {"timeouts", "stalled_write_s", duration(0.1, 31536000, kOrZero), kAtOnce,
     kMember<&Config::timeouts, &TimeoutsConfig::stalled_write>},
    {"timeouts", "linger_s", duration(0, 3600), kAtOnce,
     kMember<&Config::timeouts, &TimeoutsConfig::linger>},
    {"timeouts", "drain_s", duration(0, 3600), kAtOnce,
     kMember<&Config::timeouts, &TimeoutsConfig::drain>},

    {"socket", "no_delay", kBoolean, kByUpgrade,
     kMember<&Config::socket, &SocketOptions::no_delay>},
    {"socket", "keepalive", kBoolean, kByUpgrade,
     kMember<&Config::socket, &SocketOptions::keepalive>},
    {"socket", "keepalive_idle_s", integer(1, 32767), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::keepalive_idle>},
    {"socket", "keepalive_interval_s", integer(1, 32767), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::keepalive_interval>},
    {"socket", "keepalive_probes", integer(1, 127), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::keepalive_probes>},
    {"socket", "user_timeout_s", duration(0, 86400), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::user_timeout>},
    {"socket", "receive_buffer_kib", integer(0, 1048576), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::receive_buffer_kib>},
    {"socket", "send_buffer_kib", integer(0, 1048576), kByUpgrade,
     kMember<&Config::socket, &SocketOptions::send_buffer_kib>},

    {"log", "file", kPathOrNone, kAtOnce, kMember<&Config::log, &LogConfig::file>},
    {"log", "file_level", kLevel, kAtOnce, kMember<&Config::log, &LogConfig::file_level>},
    {"log", "stderr_level", kLevel, kAtOnce, kMember<&Config::log, &LogConfig::stderr_level>},
    {"log", "connection_lines_per_second", integer(0, 1000000), kAtOnce,
     kMember<&Config::log, &LogConfig::connection_lines_per_second>},
    {"log", "queue_lines", integer(16, 1048576), kByUpgrade,
     kMember<&Config::log, &LogConfig::queue_lines>},

    {"admin", "socket", kPathOrNone, kByUpgrade, kMember<&Config::admin, &AdminConfig::socket>},
    {"admin", "address", kAddressOrNone, kByUpgrade,
     kMember<&Config::admin, &AdminConfig::address>},
    {"admin", "port", integer(1, 65535), kByUpgrade, kMember<&Config::admin, &AdminConfig::port>},
});

bool differs(const Key& key, const Config& left, const Config& right) {
  const bool is_listener = key.section == kListenSection;
  if (is_listener && left.listen.size() != right.listen.size()) {
    return true;
  }
  const std::size_t entries = is_listener ? left.listen.size() : 1;
  for (std::size_t entry = 0; entry < entries; ++entry) {
    if (key.member.get(left, entry) != key.member.get(right, entry)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string Key::dotted_name() const {
  return section == kTopSection ? std::string(name)
                                : std::string(section).append(1, '.').append(name);
}

std::span<const Key> config_keys() noexcept {
  return kKeys;
}

std::vector<std::string_view> config_sections() {
  std::vector<std::string_view> sections;
  for (const Key& key : kKeys) {
    if (key.section != kTopSection && (sections.empty() || sections.back() != key.section)) {
      sections.push_back(key.section);
    }
  }
  return sections;
}

const Key* find_key(std::string_view section, std::string_view name) noexcept {
  const auto* const found = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) {
    return key.section == section && key.name == name;
  });
  return found == kKeys.end() ? nullptr : found;
}

bool has_meaning_for(const Key& key, const Config& config, std::size_t entry) noexcept {
  return !key.is_for_ip_only || !config.listen[entry].is_local();
}

std::optional<std::string> assign(const Key& key, Config& config, Value value, std::size_t entry) {
  replace_name(value, key.allowed);
  auto fault = value_error_text(value, key.allowed);
  if (!fault) {
    key.member.set(config, entry, value);
  }
  return fault;
}

std::vector<std::string> keys_needing_upgrade(const Config& running, const Config& wanted) {
  std::vector<std::string> names;
  for (const Key& key : kKeys) {
    if (key.reload == Reload::at_once || !differs(key, running, wanted)) {
      continue;
    }
    std::string name = key.section == kListenSection ? std::string(key.section) : key.dotted_name();
    if (names.empty() || names.back() != name) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

Config reloaded(const Config& running, const Config& wanted) {
  Config result = running;
  for (const Key& key : kKeys) {
    if (key.reload == Reload::at_once) {
      key.member.set(result, 0, key.member.get(wanted, 0));
    }
  }
  return result;
}

}  // namespace echod
