// Writes the state of a service and its connections into a file in memory (docs/upgrade-state.md).
//
//   StateWriter counter;                    // Counts the bytes and writes nothing.
//   counter.write(service);
//   for (...) { counter.write(connection); }
//   counter.finish();
//   file.reserve(counter.bytes());          // Fails here if memory is short.
//   StateWriter writer(file);               // The same calls write.
//
// The service comes first. Then as many connections follow as ServiceState::connections says; the
// reader refuses another number. A file whose finish() was not called is refused too.
//
// Borrows the file. Thread-safety: one thread at a time. Does not wait. A failed write throws
// std::system_error, a value above 4 GiB std::length_error. The constructor with a file allocates a
// buffer and may throw std::bad_alloc; the other functions allocate nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sys/memory_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

class StateWriter {
 public:
  StateWriter();
  explicit StateWriter(sys::MemoryFile& file);

  void write(const ServiceState& service);
  // The owed bytes are written straight from where they are.
  void write(const ParkedConnection& connection);
  // Writes what is left in the buffer.
  void flush();
  // Closes the state and writes what is left in the buffer.
  void finish();

  // The length of the state so far.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return total_; }

  // For the functions that encode records.
  void put(std::span<const std::byte> bytes);

 private:
  sys::MemoryFile* file_ = nullptr;  // nullptr: only counts.
  std::vector<std::byte> buffer_;    // Its size is its capacity.
  std::size_t buffered_ = 0;
  std::uint64_t total_ = 0;
};

// Reserves `file` at full length and writes all of `state`; `service.connections` must be the
// number of connections. Does not seal the file.
void write_state(const UpgradeState& state, sys::MemoryFile& file);

}  // namespace echod
