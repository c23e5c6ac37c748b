#include "sys/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "sys/invariant.hpp"
#include "sys/retry_on_eintr.hpp"

namespace echod::sys {

namespace {

// Linux 6.3. The headers of Debian 12 do not have it.
constexpr unsigned kNoExecSeal = 8;

std::size_t require_ok(IoResult result, const char* call) {
  if (!result.ok()) {
    throw std::system_error(result.error(), std::system_category(), call);
  }
  return result.count();
}

IoResult create_memory_file(const char* name) noexcept {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const IoResult created = IoResult::of(calls::memfd_create(name, kFlags | kNoExecSeal));
  // An older kernel does not know the flag.
  return created.error() == EINVAL ? IoResult::of(calls::memfd_create(name, kFlags)) : created;
}

void add_seals(int fd, int seals) {
  (void)require_ok(IoResult::of(calls::fcntl(fd, F_ADD_SEALS, seals)), "fcntl F_ADD_SEALS");
}

}  // namespace

MemoryFile::MemoryFile(const char* name)
    : fd_(UniqueFd::adopt(static_cast<int>(require_ok(create_memory_file(name), "memfd_create")))) {
}

void MemoryFile::reserve(std::uint64_t bytes) {
  if (bytes > 0) {  // fallocate(2) refuses a length of 0.
    (void)require_ok(retry_on_eintr([&] {
                       return calls::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes));
                     }),
                     "fallocate");
  }
}

void MemoryFile::write(std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const std::size_t written = require_ok(
        retry_on_eintr([&] {
          return calls::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        }),
        "pwrite");
    bytes = bytes.subspan(written);
    offset += written;
  }
}

void MemoryFile::read(std::span<std::byte> into, std::uint64_t offset) const {
  while (!into.empty()) {
    const std::size_t read = require_ok(retry_on_eintr([&] {
                                          return calls::pread(fd_.get(), into.data(), into.size(),
                                                              static_cast<off_t>(offset));
                                        }),
                                        "pread");
    invariant(read > 0, "the bytes are in the file");
    into = into.subspan(read);
    offset += read;
  }
}

void drop_pages(std::span<std::byte> memory) noexcept {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t end = (begin + memory.size()) / page * page;
  if (first < end) {
    std::byte* const pages = memory.data() + (first - begin);
    // MADV_REMOVE is for shared mappings of files, MADV_DONTNEED for all other memory.
    if (calls::madvise(pages, end - first, MADV_REMOVE) != 0) {
      (void)calls::madvise(pages, end - first, MADV_DONTNEED);  // Fails only for unmapped memory.
    }
  }
}

void MemoryFile::seal() {
  add_seals(fd_.get(), F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

void MemoryFile::seal_length() {
  add_seals(fd_.get(), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

MemoryMap::MemoryMap(int fd) {
  struct stat status {};
  (void)require_ok(IoResult::of(calls::fstat(fd, &status)), "fstat");
  if (status.st_size == 0) {
    return;  // mmap(2) refuses a length of 0.
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* begin = calls::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  is_writable_ = begin != MAP_FAILED;
  if (!is_writable_ && errno == EPERM) {  // It is sealed against writing.
    // Private: before Linux 6.7, any shared mapping of such a file fails.
    begin = calls::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  if (begin == MAP_FAILED) {
    throw std::system_error(errno, std::system_category(), "mmap");
  }
  begin_ = static_cast<std::byte*>(begin);
  size_ = size;
}

MemoryMap::MemoryMap(MemoryMap&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      is_writable_(std::exchange(other.is_writable_, false)) {}

MemoryMap& MemoryMap::operator=(MemoryMap&& other) noexcept {
  std::swap(begin_, other.begin_);  // The other destructor unmaps what was mapped here.
  std::swap(size_, other.size_);
  std::swap(is_writable_, other.is_writable_);
  return *this;
}

MemoryMap::~MemoryMap() {
  if (begin_ != nullptr) {
    (void)calls::munmap(begin_, size_);  // Fails only for a range that is not a mapping.
  }
}

}  // namespace echod::sys
