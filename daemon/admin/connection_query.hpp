// Which connections an operator asks for, and how they are written in requests and answers.
//
// Thread-safety: plain values, and functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "admin/http_message.hpp"
#include "config/net/ip_network.hpp"
#include "echo/connection_facts.hpp"

namespace echod {

// Every member that is set must match.
struct ConnectionFilter {
  std::optional<ConnectionId> id;
  std::optional<IpNetwork> network;
  std::optional<Connection::State> state;
  std::optional<std::uint32_t> worker;

  [[nodiscard]] bool matches(const ConnectionFacts& connection) const noexcept;
};

// By which value a list is sorted. The largest comes first; by peer, the lowest address.
enum class ConnectionOrder : std::uint8_t { age, idle, bytes, owed, peer };

[[nodiscard]] bool comes_before(const ConnectionFacts& left, const ConnectionFacts& right,
                                ConnectionOrder order) noexcept;

struct ConnectionQuery {
  static constexpr std::size_t kMostListed = 1000;
  // The most that offset + limit may be. Each worker sorts and keeps so many connections.
  static constexpr std::size_t kMostSorted = 10000;

  ConnectionFilter filter;
  ConnectionOrder order = ConnectionOrder::age;
  std::size_t offset = 0;
  std::size_t limit = 100;
};

// A request that cannot be answered. The text says what is wrong and what is allowed.
class QueryError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads the parameters network, state and worker, each at most once. Throws QueryError.
[[nodiscard]] ConnectionFilter connection_filter(const HttpRequest& request);

// Reads the parameters network, state, worker, sort, limit and offset, each at most once. Throws
// QueryError.
[[nodiscard]] ConnectionQuery connection_query(const HttpRequest& request);

// "echoing", ...
[[nodiscard]] std::string_view name_of(Connection::State state) noexcept;

// "0-17-3fa": worker, place in the table, time of opening. Worker and place are decimal.
[[nodiscard]] std::string id_text(const ConnectionId& id);
[[nodiscard]] std::optional<ConnectionId> parse_id(std::string_view text) noexcept;

}  // namespace echod
