#include "echo/connection_table.hpp"

#include <limits>
#include <new>

#include "sys/invariant.hpp"

namespace echod {

ConnectionTable::~ConnectionTable() {
  destroy_retired();
  (void)visit(0, chunks_.size(), [](Connection& connection) { connection.~Connection(); });
}

bool ConnectionTable::reserve() noexcept {
  if (first_not_full_ != nullptr) {
    return true;
  }
  if (chunks_.size() == kMostChunks) {
    return false;
  }
  try {
    chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
  } catch (const std::bad_alloc&) {
    return false;
  }
  first_not_full_ = chunks_.back().get();
  first_not_full_->number = static_cast<std::uint32_t>(chunks_.size() - 1);
  return true;
}

std::uint32_t ConnectionTable::take_index() noexcept {
  invariant(first_not_full_ != nullptr, "a slot is reserved before a connection is created");
  Chunk& chunk = *first_not_full_;
  const auto position = static_cast<unsigned>(std::countr_one(chunk.used));
  chunk.used |= std::uint64_t{1} << position;
  if (chunk.used == std::numeric_limits<std::uint64_t>::max()) {
    first_not_full_ = chunk.next_not_full;
  }
  ++size_;
  return chunk.number * kPerChunk + position;
}

bool ConnectionTable::destroy_retired() noexcept {
  const bool is_any = !retired_.empty();
  while (Channel* const channel = retired_.pop_front()) {
    auto* const connection = static_cast<Connection*>(channel);
    const std::uint32_t index = connection->table_index();
    Chunk& chunk = *chunks_[index / kPerChunk];
    connection->~Connection();
    if (chunk.used == std::numeric_limits<std::uint64_t>::max()) {
      chunk.next_not_full = first_not_full_;
      first_not_full_ = &chunk;
    }
    chunk.used &= ~(std::uint64_t{1} << (index % kPerChunk));
    --size_;
  }
  return is_any;
}

}  // namespace echod
