// Calls a function for every connection of a worker. Each turn visits a slice of them (256), so
// that the others get their turns in between.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "echo/connection_table.hpp"
#include "loop/channel.hpp"

namespace echod {

class EventLoop;

class ConnectionVisit final : public Channel {
 public:
  // `on_end` is called after the last connection. Neither function may throw. The constructor
  // throws std::bad_alloc.
  ConnectionVisit(EventLoop& loop, ConnectionTable& table, std::function<void(Connection&)> visitor,
                  std::function<void()> on_end);
  ~ConnectionVisit() override;

  // Visits every connection that exists now, and perhaps some that are created before the end.
  // Starts over if a visit is in progress.
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
