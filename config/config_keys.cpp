#include "config/config_keys.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>

namespace echod {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using sys::SocketAddress;
using sys::TcpOptions;

// load: from a member to the value as it is written. store: back, of a value that was checked.

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
Value load(microseconds member) {
  return std::int64_t{member.count()};
}
Value load(seconds member) {
  return std::int64_t{member.count()};
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
void store(microseconds& member, const Value& value) {
  member = microseconds(std::get<std::int64_t>(value));
}
void store(seconds& member, const Value& value) {
  member = seconds(std::get<std::int64_t>(value));
}
void store(milliseconds& member, const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    member = seconds(*whole);
    return;
  }
  const double exact = std::get<double>(value) * 1000;
  // 0 means something else than a short time, so no time may be rounded to it.
  member = milliseconds(exact > 0 ? std::max(1LL, std::llround(exact)) : 0);
}

// What a section is called, and where it is.
template <class Section>
struct Place {
  std::string_view name;
  Section Config::*section;
};
template <class Section>
constexpr Place<Section> kPlace;
template <>
constexpr Place<LimitsConfig> kPlace<LimitsConfig>{"limits", &Config::limits};
template <>
constexpr Place<BuffersConfig> kPlace<BuffersConfig>{"buffers", &Config::buffers};
template <>
constexpr Place<TurnConfig> kPlace<TurnConfig>{"turn", &Config::turn};
template <>
constexpr Place<TimeoutsConfig> kPlace<TimeoutsConfig>{"timeouts", &Config::timeouts};
template <>
constexpr Place<TcpOptions> kPlace<TcpOptions>{"socket", &Config::socket};
template <>
constexpr Place<LogConfig> kPlace<LogConfig>{"log", &Config::log};

template <class Section, class T>
constexpr Place<Section> place_of(T Section::* /*member*/) {
  return kPlace<Section>;
}

template <auto kMember>
auto& member_of(auto& config) {
  return config.*place_of(kMember).section.*kMember;
}

template <auto kMember>
constexpr Key key(std::string_view name, Takes takes, Reload reload) {
  return {place_of(kMember).name, name, takes, reload,
          Member{[](const Config& config, std::size_t) { return load(member_of<kMember>(config)); },
                 [](Config& config, std::size_t, const Value& value) {
                   store(member_of<kMember>(config), value);
                 }}};
}

// Written in KiB, kept in bytes.
template <auto kMember>
constexpr Key kib_key(std::string_view name, Takes takes, Reload reload) {
  return {place_of(kMember).name, name, takes, reload,
          Member{[](const Config& config, std::size_t) {
                   return load(member_of<kMember>(config) / 1024);
                 },
                 [](Config& config, std::size_t, const Value& value) {
                   store(member_of<kMember>(config), value);
                   member_of<kMember>(config) *= 1024;
                 }}};
}

template <auto kMember>
constexpr Key top_key(std::string_view name, Takes takes, Reload reload) {
  return {kTopSection, name, takes, reload,
          Member{[](const Config& config, std::size_t) { return load(config.*kMember); },
                 [](Config& config, std::size_t, const Value& value) {
                   store(config.*kMember, value);
                 }}};
}

template <auto kMember>
constexpr Key listener_key(std::string_view name, Takes takes, Reload reload) {
  return {kListenSection, name, takes, reload,
          Member{[](const Config& config, std::size_t entry) {
                   return load(config.listen[entry].*kMember);
                 },
                 [](Config& config, std::size_t entry, const Value& value) {
                   store(config.listen[entry].*kMember, value);
                 }}};
}

// Address and port are one member.

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

constexpr bool kOrZero = true;
constexpr Takes integer(double min, double max, bool or_zero = false) {
  return {KeyType::integer, min, max, or_zero};
}
constexpr Takes duration(double min, double max, bool or_zero = false) {
  return {KeyType::seconds, min, max, or_zero};
}
constexpr Takes kBoolean{KeyType::boolean};
constexpr Takes kAddress{KeyType::address};
constexpr Takes kLevel{KeyType::level};
constexpr Takes kPath{KeyType::path};
constexpr auto kAtOnce = Reload::at_once;
constexpr auto kRestart = Reload::needs_restart;

// The upper bound of open_files is the fs.nr_open that systemd raises the system to, those of
// keepalive_* are the kernel's (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT).
constexpr auto kKeys = std::to_array<Key>({
    top_key<&Config::workers>("workers", integer(0, 1024), kRestart),
    top_key<&Config::busy_poll>("busy_poll_us", integer(0, 1000000), kAtOnce),

    {kListenSection, "address", kAddress, kRestart, {load_address, store_address}},
    {kListenSection, "port", integer(0, 65535), kRestart, {load_port, store_port}},
    listener_key<&ListenConfig::backlog>("backlog", integer(1, 1048576), kRestart),
    listener_key<&ListenConfig::v6only>("v6only", kBoolean, kRestart),

    key<&LimitsConfig::max_connections>("max_connections", integer(0, 10000000), kAtOnce),
    key<&LimitsConfig::open_files>("open_files", integer(64, 1073741816, kOrZero), kRestart),

    key<&BuffersConfig::per_connection_kib>("per_connection_kib", integer(4, 4096), kAtOnce),
    key<&BuffersConfig::total_mib>("total_mib", integer(1, 1048576), kAtOnce),
    key<&BuffersConfig::splice>("splice", kBoolean, kAtOnce),

    key<&TurnConfig::bytes_kib>("bytes_kib", integer(1, 65536), kAtOnce),
    key<&TurnConfig::reads>("reads", integer(1, 1024), kAtOnce),
    key<&TurnConfig::accepts>("accepts", integer(1, 65536), kAtOnce),

    key<&TimeoutsConfig::idle>("idle_s", duration(0.1, 31536000, kOrZero), kAtOnce),
    key<&TimeoutsConfig::stalled_write>("stalled_write_s", duration(0.1, 31536000, kOrZero),
                                        kAtOnce),
    key<&TimeoutsConfig::linger>("linger_s", duration(0, 3600), kAtOnce),
    key<&TimeoutsConfig::drain>("drain_s", duration(0, 3600), kAtOnce),

    key<&TcpOptions::no_delay>("no_delay", kBoolean, kRestart),
    key<&TcpOptions::keepalive>("keepalive", kBoolean, kRestart),
    key<&TcpOptions::keepalive_idle>("keepalive_idle_s", integer(1, 32767), kRestart),
    key<&TcpOptions::keepalive_interval>("keepalive_interval_s", integer(1, 32767), kRestart),
    key<&TcpOptions::keepalive_probes>("keepalive_probes", integer(1, 127), kRestart),
    key<&TcpOptions::user_timeout>("user_timeout_s", duration(0, 86400), kRestart),
    kib_key<&TcpOptions::receive_buffer_bytes>("receive_buffer_kib", integer(0, 1048576), kRestart),
    kib_key<&TcpOptions::send_buffer_bytes>("send_buffer_kib", integer(0, 1048576), kRestart),

    key<&LogConfig::file>("file", kPath, kAtOnce),
    key<&LogConfig::file_level>("file_level", kLevel, kAtOnce),
    key<&LogConfig::stderr_level>("stderr_level", kLevel, kAtOnce),
    key<&LogConfig::connection_lines_per_second>("connection_lines_per_second", integer(0, 1000000),
                                                 kAtOnce),
    key<&LogConfig::queue_lines>("queue_lines", integer(16, 1048576), kRestart),
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

std::optional<std::string> assign(const Key& key, Config& config, const Value& value,
                                  std::size_t entry) {
  auto fault = fault_of(value, key.takes);
  if (!fault) {
    key.member.set(config, entry, value);
  }
  return fault;
}

std::vector<std::string> keys_needing_restart(const Config& running, const Config& wanted) {
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
