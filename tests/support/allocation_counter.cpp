// A library for LD_PRELOAD that counts the allocations of the program. The count is the first eight
// bytes of the file that $ECHOD_ALLOCATION_COUNT names, where a test can read it. All allocations
// from number $ECHOD_FAILING_ALLOCATION on, counted from 1, fail. The others are glibc's.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

// NOLINTBEGIN(readability-identifier-naming): glibc's names.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}
// NOLINTEND(readability-identifier-naming)

namespace {

using Count = std::atomic<std::uint64_t>;

Count unwatched{0};  // Counts until the file is mapped, or always if there is no file.
std::atomic<Count*> counter{&unwatched};
std::atomic<std::uint64_t> first_to_fail{UINT64_MAX};

// NOLINTBEGIN(concurrency-mt-unsafe): before any thread.
__attribute__((constructor)) void read_environment() {
  if (const char* const number = std::getenv("ECHOD_FAILING_ALLOCATION"); number != nullptr) {
    first_to_fail = std::strtoull(number, nullptr, 10);
  }
  const char* const path = std::getenv("ECHOD_ALLOCATION_COUNT");
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  void* const page = mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  if (page != MAP_FAILED) {
    counter = static_cast<Count*>(page);
  }
}
// NOLINTEND(concurrency-mt-unsafe)

// Counts an allocation; returns false and sets errno if it must fail.
bool count_one() {
  const bool is_given = counter.load()->fetch_add(1) + 1 < first_to_fail.load();
  errno = is_given ? errno : ENOMEM;
  return is_given;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's are reserved.
extern "C" {

void* malloc(std::size_t size) {
  return count_one() ? __libc_malloc(size) : nullptr;
}

void* calloc(std::size_t count, std::size_t size) {
  return count_one() ? __libc_calloc(count, size) : nullptr;
}

void* realloc(void* old, std::size_t size) {
  return count_one() ? __libc_realloc(old, size) : nullptr;
}

void* memalign(std::size_t alignment, std::size_t size) {
  return count_one() ? __libc_memalign(alignment, size) : nullptr;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void** into, std::size_t alignment, std::size_t size) {
  *into = memalign(alignment, size);
  return *into == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
