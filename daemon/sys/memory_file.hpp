// A file in memory (memfd_create(2)), and a mapping of such a file.
//
// MemoryFile owns its descriptor, MemoryMap its mapping. Both need no further resource to be
// destroyed. Thread-safety: one thread at a time. No call waits for anything but memory. A failed
// system call throws std::system_error, which names the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sys/unique_fd.hpp"

namespace echod::sys {

class MemoryFile {
 public:
  // Creates an empty file. Its descriptor closes on execve(2). `name` is shown in /proc/self/fd.
  // The file cannot be made executable, if the kernel can forbid that (Linux 6.3).
  explicit MemoryFile(const char* name);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Allocates memory for the first `bytes` bytes, and makes the file that long, so that a later
  // write() in that range cannot fail for lack of memory.
  void reserve(std::uint64_t bytes);
  // Writes all of `bytes` at `offset`.
  void write(std::span<const std::byte> bytes, std::uint64_t offset);
  // Reads the bytes at `offset`, which must exist, until `into` is full.
  void read(std::span<std::byte> into, std::uint64_t offset) const;
  // Forbids all later changes of content and length, for every process that has the file.
  void seal();
  // Forbids changes of the length only, so that drop_pages() still works on a mapping.
  void seal_length();

 private:
  UniqueFd fd_;
};

// Gives the whole pages in `memory` back to the kernel, those of a mapped file too. Their bytes are
// 0 when they are used again.
void drop_pages(std::span<std::byte> memory) noexcept;

class MemoryMap {
 public:
  // Maps all of the file `fd`, which is borrowed and may be closed afterwards. An empty file gives
  // an empty span. The file must keep its length: after it shrinks, a read raises SIGBUS. A file
  // that is sealed against writing is mapped for reading only.
  explicit MemoryMap(int fd);
  MemoryMap(const MemoryMap&) = delete;
  MemoryMap& operator=(const MemoryMap&) = delete;
  MemoryMap(MemoryMap&& other) noexcept;
  MemoryMap& operator=(MemoryMap&& other) noexcept;
  ~MemoryMap();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {begin_, size_}; }
  // The same bytes, which can be changed, and given back to the kernel by drop_pages(). Empty if
  // the file is sealed against writing.
  [[nodiscard]] std::span<std::byte> writable_bytes() const noexcept {
    return {begin_, is_writable_ ? size_ : 0};
  }

 private:
  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
  bool is_writable_ = false;
};

}  // namespace echod::sys
