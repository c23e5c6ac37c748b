// Calls a function for every connection of a worker, a slice of them in each turn, so that a visit
// of many connections holds up nobody.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "channel.hpp"
#include "connection_table.hpp"

namespace echod {

class EventLoop;

class ConnectionVisit final : public Channel {
 public:
  // Neither function may throw. `on_end` is called after the last connection. Throws
  // std::bad_alloc.
  ConnectionVisit(EventLoop& loop, ConnectionTable& table, std::function<void(Connection&)> visitor,
                  std::function<void()> on_end);
  ~ConnectionVisit() override;

  // Visits every connection that exists now; a visit that is under way begins anew. Connections
  // that are created before the end may be visited, too.
  void start() noexcept;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  ConnectionTable& table_;
  std::function<void(Connection&)> visitor_;
  std::function<void()> on_end_;
  std::size_t next_chunk_ = 0;
};

}  // namespace echod
