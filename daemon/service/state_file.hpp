// The file in memory with which the parked workers are handed over to the next program.
//
// Owed bytes are never in memory twice. As soon as the bytes of a connection are in this file,
// their old memory is given back to the kernel. That memory may be in the file of an earlier
// upgrade. If the next program does not start, the destructor copies the bytes back.
//
// Thread-safety: the main thread, while the workers are parked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "echo/workers.hpp"
#include "sys/memory_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

class StateFile {
 public:
  // Writes `service`, whose number of connections it sets, and all connections. Throws
  // std::system_error, StateError if the state could not be read, std::bad_alloc.
  StateFile(ServiceState service, Workers& workers);

  [[nodiscard]] int fd() const noexcept { return file_.fd(); }
  // Every descriptor that the next program needs, that of the file included.
  [[nodiscard]] const std::vector<int>& descriptors() const noexcept { return descriptors_; }

 private:
  // Memory whose bytes are in the file.
  class ReleasedMemory {
   public:
    explicit ReleasedMemory(const sys::MemoryFile& file) noexcept : file_(file) {}
    ~ReleasedMemory();
    ReleasedMemory(const ReleasedMemory&) = delete;
    ReleasedMemory& operator=(const ReleasedMemory&) = delete;

    // Call it before the first add(). Throws std::bad_alloc.
    void reserve(std::size_t spans) { spans_.reserve(spans); }
    void add(std::span<std::byte> memory, std::uint64_t offset) noexcept;

   private:
    struct Span {
      std::span<std::byte> memory;
      std::uint64_t offset = 0;
    };

    const sys::MemoryFile& file_;
    std::vector<Span> spans_;
  };

  sys::MemoryFile file_{"echod-state"};
  ReleasedMemory released_{file_};
  std::vector<int> descriptors_;
};

// The descriptors that the state names.
[[nodiscard]] std::vector<int> descriptors_of(const ServiceState& service);
void append_descriptors_of(const ParkedConnection& connection, std::vector<int>& descriptors);

}  // namespace echod
