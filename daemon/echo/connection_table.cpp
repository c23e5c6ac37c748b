#include "connection_table.hpp"

#include <limits>
#include <new>

#include "invariant.hpp"

namespace echod {

ConnectionTable::~ConnectionTable() {
  destroy_retired();
  (void)visit(0, chunks_.size(), [](Connection& connection) { connection.~Connection(); });
}

bool ConnectionTable::reserve() noexcept {
  if (with_room_ != nullptr) {
    return true;
  }
  try {
    chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
  } catch (const std::bad_alloc&) {
    return false;
  }
  with_room_ = chunks_.back().get();
  with_room_->number = static_cast<std::uint32_t>(chunks_.size() - 1);
  return true;
}

Connection& ConnectionTable::create(EchoContext& context, sys::UniqueFd fd,
                                    const sys::SocketAddress& peer) noexcept {
  invariant(with_room_ != nullptr, "room is reserved before a connection is created");
  Chunk& chunk = *with_room_;
  const auto position = static_cast<unsigned>(std::countr_one(chunk.used));
  chunk.used |= std::uint64_t{1} << position;
  if (chunk.used == std::numeric_limits<std::uint64_t>::max()) {
    with_room_ = chunk.next_with_room;
  }
  ++size_;
  return *new (&chunk.memory[position * sizeof(Connection)])
      Connection(context, chunk.number * kPerChunk + position, std::move(fd), peer);
}

bool ConnectionTable::destroy_retired() noexcept {
  const bool is_any = !retired_.empty();
  while (Channel* const channel = retired_.pop_front()) {
    auto* const connection = static_cast<Connection*>(channel);
    const std::uint32_t index = connection->table_index();
    Chunk& chunk = *chunks_[index / kPerChunk];
    connection->~Connection();
    if (chunk.used == std::numeric_limits<std::uint64_t>::max()) {
      chunk.next_with_room = with_room_;
      with_room_ = &chunk;
    }
    chunk.used &= ~(std::uint64_t{1} << (index % kPerChunk));
    --size_;
  }
  return is_any;
}

}  // namespace echod
