#include "admin/connection_query.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>
#include <tuple>

#include "config/net/parse_number.hpp"
#include "config/toml_value.hpp"

namespace echod {

namespace {

constexpr int kHexadecimal = 16;

// In the order of Connection::State.
constexpr std::array<std::string_view, 5> kStates{"echoing", "flushing", "delivering", "lingering",
                                                  "closed"};
// In the order of ConnectionOrder.
constexpr std::array<std::string_view, 5> kOrders{"age", "idle", "bytes", "owed", "peer"};
constexpr std::array<std::string_view, 6> kParameters{"network", "state", "worker",
                                                      "sort",    "limit", "offset"};
constexpr std::size_t kFilterParameters = 3;  // The first so many.

[[noreturn]] void refuse_value(std::string_view parameter, std::string_view value,
                               std::string_view allowed) {
  std::string text(parameter);
  text.append("=").append(one_line(value, kShownBytes)).append(": use ").append(allowed);
  throw QueryError(text);
}

// The index of `value` in `names`.
template <typename Enum>
Enum one_of(std::string_view parameter, std::string_view value,
            std::span<const std::string_view> names) {
  const auto found = std::find(names.begin(), names.end(), value);
  if (found == names.end()) {
    refuse_value(parameter, value, joined(names));
  }
  return static_cast<Enum>(found - names.begin());
}

template <typename Number>
Number number(std::string_view parameter, std::string_view value, Number min, Number max) {
  const auto parsed = parse_number<Number>(value);
  if (!parsed || *parsed < min || *parsed > max) {
    refuse_value(parameter, value, std::to_string(min) + " to " + std::to_string(max));
  }
  return *parsed;
}

IpNetwork network(std::string_view value) {
  const auto parsed = IpNetwork::parse(value);
  if (!parsed) {
    refuse_value("network", value, "networks such as 192.0.2.0/24, 2001:db8::/32 or ::1");
  }
  return *parsed;
}

// Takes a parameter of a filter. Returns false if it is none.
bool take_filter(ConnectionFilter& filter, std::string_view name, const std::string& value) {
  if (name == "network") {
    filter.network = network(value);
  } else if (name == "state") {
    filter.state = one_of<Connection::State>(name, value, std::span(kStates).first(4));
  } else if (name == "worker") {
    filter.worker = number<std::uint32_t>(name, value, 0, UINT32_MAX);
  } else {
    return false;
  }
  return true;
}

[[noreturn]] void refuse_parameter(std::string_view name, std::span<const std::string_view> known) {
  throw QueryError("unknown parameter " + one_line(name, kShownBytes) +
                   "; known parameters: " + joined(known));
}

void refuse_repeated_parameters(const HttpRequest& request) {
  for (auto later = request.query.begin(); later != request.query.end(); ++later) {
    if (std::any_of(request.query.begin(), later,
                    [&](const auto& earlier) { return earlier.first == later->first; })) {
      throw QueryError(one_line(later->first, kShownBytes) + " is given twice");
    }
  }
}

// Negative if `left` comes first: IPv4, then IPv6, then peers of UNIX sockets, each by the bytes.
// Ports are ignored.
int compare_addresses(const SocketAddress& left, const SocketAddress& right) noexcept {
  if (left.kind() != right.kind()) {
    return left.kind() < right.kind() ? -1 : 1;
  }
  return std::memcmp(left.bytes().data(), right.bytes().data(), left.bytes().size());
}

}  // namespace

bool ConnectionFilter::matches(const ConnectionFacts& connection) const noexcept {
  return connection.state != Connection::State::closed && (!id || *id == connection.id) &&
         (!worker || *worker == connection.id.worker) && (!state || *state == connection.state) &&
         (!network || network->contains(connection.peer));
}

// Connections that are equal otherwise are in the order of their ids, so that pages do not overlap.
bool comes_before(const ConnectionFacts& left, const ConnectionFacts& right,
                  ConnectionOrder order) noexcept {
  const auto by_id = [&] {
    return std::tie(left.id.worker, left.id.table_index) <
           std::tie(right.id.worker, right.id.table_index);
  };
  const auto largest_first = [&](const auto& mine, const auto& other) {
    return mine != other ? mine > other : by_id();
  };
  switch (order) {
    case ConnectionOrder::age:
      return largest_first(left.age, right.age);
    case ConnectionOrder::idle:
      return largest_first(left.idle, right.idle);
    case ConnectionOrder::bytes:
      return largest_first(left.bytes_received, right.bytes_received);
    case ConnectionOrder::owed:
      return largest_first(left.owed_bytes, right.owed_bytes);
    case ConnectionOrder::peer:
      break;
  }
  const int addresses = compare_addresses(left.peer, right.peer);
  if (addresses != 0) {
    return addresses < 0;
  }
  return left.peer.port() != right.peer.port() ? left.peer.port() < right.peer.port() : by_id();
}

ConnectionFilter connection_filter(const HttpRequest& request) {
  refuse_repeated_parameters(request);
  ConnectionFilter filter;
  for (const auto& [name, value] : request.query) {
    if (!take_filter(filter, name, value)) {
      refuse_parameter(name, std::span(kParameters).first(kFilterParameters));
    }
  }
  return filter;
}

ConnectionQuery connection_query(const HttpRequest& request) {
  ConnectionQuery query;
  refuse_repeated_parameters(request);
  for (const auto& [name, value] : request.query) {
    if (name == "sort") {
      query.order = one_of<ConnectionOrder>(name, value, kOrders);
    } else if (name == "limit") {
      query.limit = number<std::size_t>(name, value, 1, ConnectionQuery::kMostListed);
    } else if (name == "offset") {
      query.offset = number<std::size_t>(name, value, 0, ConnectionQuery::kMostSorted);
    } else if (!take_filter(query.filter, name, value)) {
      refuse_parameter(name, kParameters);
    }
  }
  if (query.offset + query.limit > ConnectionQuery::kMostSorted) {
    throw QueryError("offset and limit are more than " +
                     std::to_string(ConnectionQuery::kMostSorted) +
                     " together; choose fewer connections with network, state or worker");
  }
  return query;
}

std::string_view name_of(Connection::State state) noexcept {
  return kStates[static_cast<std::size_t>(state)];
}

std::string id_text(const ConnectionId& id) {
  std::array<char, 16> opened{};
  const auto [end, error] =
      std::to_chars(opened.data(), opened.data() + opened.size(), id.opened_ms, kHexadecimal);
  return std::to_string(id.worker) + '-' + std::to_string(id.table_index) + '-' +
         std::string(opened.data(), end);
}

std::optional<ConnectionId> parse_id(std::string_view text) noexcept {
  const std::size_t first = text.find('-');
  const std::size_t second = text.find('-', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return std::nullopt;
  }
  const auto worker = parse_number<std::uint32_t>(text.substr(0, first));
  const auto index = parse_number<std::uint32_t>(text.substr(first + 1, second - first - 1));
  const auto opened = parse_number<std::uint64_t>(text.substr(second + 1), kHexadecimal);
  if (!worker || !index || !opened) {
    return std::nullopt;
  }
  return ConnectionId{.worker = *worker, .table_index = *index, .opened_ms = *opened};
}

}  // namespace echod
