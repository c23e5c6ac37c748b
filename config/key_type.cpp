#include "config/key_type.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "config/net/local_path.hpp"
#include "config/unit_directory.hpp"
#include "config/user_id.hpp"

namespace echod {

namespace {

// In the order of LogLevel.
constexpr std::array<std::string_view, 7> kLevels{"trace", "debug",    "info", "warning",
                                                  "error", "critical", "off"};

// In the order of Protocol.
constexpr std::array<std::string_view, 2> kProtocols{"tcp", "udp"};

std::string joined_names(std::span<const std::string_view> all) {
  std::string names(all.front());
  for (const std::string_view name : all.subspan(1)) {
    names.append(name == all.back() ? " or " : ", ").append(name);
  }
  return names;
}

// The value of an enumeration whose names are `all`.
template <typename Enum>
std::optional<Enum> value_named(std::string_view name,
                                std::span<const std::string_view> all) noexcept {
  const auto found = std::find(all.begin(), all.end(), name);
  if (found == all.end()) {
    return std::nullopt;
  }
  return static_cast<Enum>(found - all.begin());
}

bool is_number(KeyType type) noexcept {
  return type == KeyType::integer || type == KeyType::seconds;
}

std::string_view wanted_type(KeyType type) noexcept {
  if (type == KeyType::boolean) {
    return "a boolean";
  }
  if (is_number(type)) {
    return type == KeyType::integer ? "an integer" : "a number";
  }
  return "a string";
}

bool has_wanted_type(const Value& value, KeyType type) noexcept {
  if (type == KeyType::boolean) {
    return std::holds_alternative<bool>(value);
  }
  if (is_number(type)) {
    return std::holds_alternative<std::int64_t>(value) ||
           (type == KeyType::seconds && std::holds_alternative<double>(value));
  }
  return std::holds_alternative<std::string>(value);
}

// Returns false for NaN.
bool is_in_range(const Value& value, const Allowed& allowed) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  const double number =
      integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
  return (number >= allowed.min && number <= allowed.max) || (allowed.or_zero && number == 0);
}

// Returns what is wrong with an address; empty if nothing is. Also refuses addresses to which no
// TCP connection can be made, and from which no datagram can be sent, whether bind(2) accepts them
// or not.
std::string_view address_fault(const std::string& text) {
  const auto given = SocketAddress::parse(text, 0);
  if (!given || (given->has_scope() && given->interface().empty())) {
    return text.find('%') == std::string::npos
               ? "is not an IP address"
               : "is not an IP address on an interface of this host";
  }
  if (!parse_address(text, 0)->is_unicast()) {
    return "is a multicast or broadcast address, from which no echo can be sent";
  }
  if (given->is_v6_link_local() && !given->has_scope()) {
    return "is link-local and needs an interface, such as \"fe80::1%eth0\"";
  }
  // The kernel ignores the interface: the listener would be open on all of them, or open twice.
  if (!given->is_v6_link_local() && given->has_scope()) {
    return "must not name an interface, because it is not link-local (fe80::/10)";
  }
  return "";
}

// The path appears in log lines and in the TOML of a dump, and a NUL byte would end it early.
std::string_view path_fault(const std::string& text) noexcept {
  if (!is_utf8(text)) {
    return "is not UTF-8";
  }
  const bool has_control =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; });
  return has_control ? "holds a control character" : "";
}

std::string_view socket_path_fault(const std::string& text) {
  if (const std::string_view fault = path_fault(text); !fault.empty()) {
    return fault;
  }
  const std::string path = in_runtime_directory(text);
  if (!text.empty() && !path.starts_with('/')) {
    return "is relative to $RUNTIME_DIRECTORY, which is not set";
  }
  return path.size() > kLongestLocalPath ? "is too long for a socket" : "";
}

// What is wrong with a value of the right type; empty if nothing is.
std::string_view plain_fault(const Value& value, const Allowed& allowed) {
  if (allowed.or_none && std::get<std::string>(value).empty()) {
    return "";
  }
  switch (allowed.type) {
    case KeyType::boolean:
      break;
    case KeyType::integer:
    case KeyType::seconds:
      return is_in_range(value, allowed) ? "" : "is out of range";
    case KeyType::level:
      return parse_level(std::get<std::string>(value)) ? "" : "is not a log level";
    case KeyType::protocol:
      return parse_protocol(std::get<std::string>(value)) ? "" : "is not a protocol";
    case KeyType::address:
      return address_fault(std::get<std::string>(value));
    case KeyType::path:
      return path_fault(std::get<std::string>(value));
    case KeyType::socket_path:
      return socket_path_fault(std::get<std::string>(value));
    case KeyType::mode:
      return parse_mode(std::get<std::string>(value)) ? "" : "is not a mode";
    case KeyType::user:
      return parse_id(std::get<std::string>(value)) ? "" : "is not a user of this host";
    case KeyType::group:
      return parse_id(std::get<std::string>(value)) ? "" : "is not a group of this host";
  }
  return "";
}

}  // namespace

bool is_text(KeyType type) noexcept {
  return type != KeyType::boolean && !is_number(type);
}

std::string allowed_text(const Allowed& allowed) {
  const std::string or_none = allowed.or_none ? R"(, or "" for none)" : "";
  switch (allowed.type) {
    case KeyType::boolean:
      return "true or false";
    case KeyType::integer:
    case KeyType::seconds:
      return (allowed.or_zero ? "0 or " : "") + number_text(allowed.min) + " to " +
             number_text(allowed.max);
    case KeyType::level:
      return joined_names(kLevels);
    case KeyType::protocol:
      return joined_names(kProtocols);
    case KeyType::address:
      return R"(IP addresses such as "::" or "192.0.2.1")" + or_none;
    case KeyType::path:
      break;
    case KeyType::socket_path:
      return "paths of at most " + std::to_string(kLongestLocalPath) + " bytes" + or_none;
    case KeyType::mode:
      return R"(octal digits, "0000" to "0777")";
    case KeyType::user:
      return "names and numbers of users" + or_none;
    case KeyType::group:
      return "names and numbers of groups" + or_none;
  }
  return "paths" + or_none;
}

void replace_name(Value& value, const Allowed& allowed) {
  auto* const text = std::get_if<std::string>(&value);
  if (text == nullptr || (allowed.type != KeyType::user && allowed.type != KeyType::group)) {
    return;
  }
  if (const auto id = allowed.type == KeyType::user ? user_id(*text) : group_id(*text)) {
    *text = std::to_string(*id);
  }
}

std::optional<std::string> value_error_text(const Value& value, const Allowed& allowed) {
  const std::string shown = value_text(value, kShownBytes);
  if (!has_wanted_type(value, allowed.type)) {
    return wrong_type_text((shown + " is ").append(type_name(value)), allowed);
  }
  if (const std::string_view fault = plain_fault(value, allowed); !fault.empty()) {
    return (shown + ' ').append(fault) + "; use " + allowed_text(allowed);
  }
  return std::nullopt;
}

std::string wrong_type_text(std::string_view found, const Allowed& allowed) {
  return std::string(found).append(" instead of ").append(wanted_type(allowed.type)) + "; use " +
         allowed_text(allowed);
}

std::string_view level_name(LogLevel level) noexcept {
  return kLevels[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> parse_level(std::string_view name) noexcept {
  return value_named<LogLevel>(name, kLevels);
}

std::string_view protocol_name(Protocol protocol) noexcept {
  return kProtocols[static_cast<std::size_t>(protocol)];
}

std::optional<Protocol> parse_protocol(std::string_view name) noexcept {
  return value_named<Protocol>(name, kProtocols);
}

std::string mode_text(std::uint32_t mode) {
  std::string digits = "0000";
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, mode /= 8) {
    *digit = static_cast<char>('0' + mode % 8);
  }
  return digits;
}

std::optional<std::uint32_t> parse_mode(std::string_view text) noexcept {
  constexpr std::uint32_t kMost = 0777;
  constexpr int kOctal = 8;
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, kOctal);
  const bool is_mode = error == std::errc{} && end == text.data() + text.size() && mode <= kMost;
  return is_mode ? std::optional(mode) : std::nullopt;
}

std::optional<SocketAddress> parse_address(const std::string& text, std::uint16_t port) noexcept {
  const auto address = SocketAddress::parse(text, port);
  if (!address) {
    return std::nullopt;
  }
  sockaddr_storage storage{};
  (void)address->to(storage);  // from() does not need the length.
  return SocketAddress::from(storage);
}

}  // namespace echod
