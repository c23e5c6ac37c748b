// Owner of a worker's connections. They live in chunks that never move, so that a connection costs
// its own size and nothing for an allocation of its own; chunks stay for the next burst.
//
// A connection that ends is retired, and destroyed when the iteration is over: nothing that still
// refers to it within the iteration can see freed memory.
//
// Thread-safety: none; one table a worker.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "connection.hpp"
#include "list_hook.hpp"

namespace echod {

class ConnectionTable {
 public:
  ConnectionTable() noexcept = default;
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable();

  // Makes sure that the next create() has room; false when there is no memory.
  [[nodiscard]] bool reserve() noexcept;
  // Only after reserve() returned true.
  Connection& create(EchoContext& context, sys::UniqueFd fd,
                     const sys::SocketAddress& peer) noexcept;
  // From Connection::close() alone.
  void retire(Connection& connection) noexcept { retired_.push_back(connection); }
  // Between iterations of the loop. Returns whether there were any.
  bool destroy_retired() noexcept;

  // Connections, the retired ones included.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Calls `visitor` with each connection in at most `chunks` chunks (64 connections each), from
  // chunk `first` on. Returns the chunk to go on with, or 0 when all were visited.
  template <typename Visitor>
  std::size_t visit(std::size_t first, std::size_t chunks, const Visitor& visitor) noexcept {
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

  // NOLINTNEXTLINE(*-member-init): memory stays untouched until connections use it.
  struct Chunk {
    std::uint64_t used = 0;           // Bit i: at(i) is alive.
    Chunk* next_with_room = nullptr;  // Among the chunks that are not full.
    std::uint32_t number = 0;         // Its place in chunks_.
    alignas(Connection) std::array<std::byte, kPerChunk * sizeof(Connection)> memory;

    [[nodiscard]] Connection* at(unsigned position) noexcept {
      return std::launder(reinterpret_cast<Connection*>(&memory[position * sizeof(Connection)]));
    }
  };

  std::vector<std::unique_ptr<Chunk>> chunks_;
  Chunk* with_room_ = nullptr;
  IntrusiveList<Channel> retired_;
  std::size_t size_ = 0;
};

}  // namespace echod
