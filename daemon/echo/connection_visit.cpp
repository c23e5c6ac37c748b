#include "echo/connection_visit.hpp"

#include <utility>

#include "loop/event_loop.hpp"

namespace echod {

ConnectionVisit::ConnectionVisit(EventLoop& loop, ConnectionTable& table,
                                 std::function<void(Connection&)> visitor,
                                 std::function<void()> on_end)
    : loop_(loop), table_(table), visitor_(std::move(visitor)), on_end_(std::move(on_end)) {}

ConnectionVisit::~ConnectionVisit() {
  loop_.remove(*this);
}

void ConnectionVisit::start() noexcept {
  next_chunk_ = 0;
  loop_.enqueue(*this);
}

Turn ConnectionVisit::on_turn(std::uint32_t /*events*/) noexcept {
  constexpr std::size_t kChunksPerTurn = 4;  // 256 connections.
  next_chunk_ = table_.visit(next_chunk_, kChunksPerTurn, visitor_);
  if (next_chunk_ != 0) {
    return Turn::again;
  }
  on_end_();
  return Turn::wait;
}

}  // namespace echod
