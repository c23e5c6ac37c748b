// Owns the connections of a worker. They are allocated in chunks of 64, which never move and are
// kept until the table is destroyed; slots of ended connections are used again. So a connection
// costs its own size only, and the memory of a peak of connections is not given back.
//
// A connection that ends is retired, and destroyed after the iteration of the loop. So a pointer to
// it stays valid within the iteration.
//
// Thread-safety: one table for each worker, used by its thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "echo/connection.hpp"
#include "loop/list_hook.hpp"

namespace echod {

class ConnectionTable {
 public:
  ConnectionTable() noexcept = default;
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable();

  // Makes sure that there is a free slot for the next create(); false if there is no memory.
  [[nodiscard]] bool reserve() noexcept;
  // Constructs a connection with the arguments (context, entry, arguments...). Must follow a
  // reserve() that returned true.
  template <typename... Arguments>
  Connection& create(EchoContext& context, std::uint8_t listener,
                     Arguments&&... arguments) noexcept {
    const std::uint32_t index = take_index();
    return *new (memory_of(index))
        Connection(context, {.table_index = index & kIndexBits, .listener = listener},
                   std::forward<Arguments>(arguments)...);
  }
  // Called by Connection::close() only.
  void retire(Connection& connection) noexcept { retired_.push_back(connection); }
  // Destroys retired connections, and returns whether there were any. Call it between iterations of
  // the loop.
  bool destroy_retired() noexcept;

  // Number of connections, including retired ones.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Calls `visitor` with each connection of at most `chunks` chunks, starting at chunk `first`.
  // Returns the chunk to continue with, or 0 after the last one.
  template <typename Visitor>
  std::size_t visit(std::size_t first, std::size_t chunks, const Visitor& visitor) {
    std::size_t chunk = first;
    for (; chunk < chunks_.size() && chunk - first < chunks; ++chunk) {
      for (std::uint64_t used = chunks_[chunk]->used; used != 0; used &= used - 1) {
        visitor(*chunks_[chunk]->at(static_cast<unsigned>(std::countr_zero(used))));
      }
    }
    return chunk < chunks_.size() ? chunk : 0;
  }

 private:
  static constexpr unsigned kPerChunk = 64;
  static constexpr std::uint32_t kIndexBits = Connection::TableEntry::kLargestIndex;
  static constexpr std::size_t kMostChunks =
      (std::size_t{Connection::TableEntry::kLargestIndex} + 1) / kPerChunk;

  // NOLINTNEXTLINE(*-member-init): `memory` is not touched until connections use it.
  struct Chunk {
    std::uint64_t used = 0;  // Bit i: at(i) is alive.
    Chunk* next_not_full = nullptr;
    std::uint32_t number = 0;  // Its index in chunks_.
    alignas(Connection) std::array<std::byte, kPerChunk * sizeof(Connection)> memory;

    [[nodiscard]] Connection* at(unsigned position) noexcept {
      return std::launder(reinterpret_cast<Connection*>(&memory[position * sizeof(Connection)]));
    }
  };

  // Marks a free position as used, and returns its index in the table.
  [[nodiscard]] std::uint32_t take_index() noexcept;
  [[nodiscard]] std::byte* memory_of(std::uint32_t index) noexcept {
    return &chunks_[index / kPerChunk]->memory[index % kPerChunk * sizeof(Connection)];
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  Chunk* first_not_full_ = nullptr;
  IntrusiveList<Channel> retired_;
  std::size_t size_ = 0;
};

}  // namespace echod
