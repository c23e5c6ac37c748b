#include "sys/process_usage.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

namespace {

std::chrono::microseconds time_of(const timeval& time) noexcept {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// The second number of /proc/self/statm (proc(5)), in pages.
std::uint64_t resident_pages() noexcept {
  std::array<char, 128> text{};
  const UniqueFd file = UniqueFd::adopt(calls::open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0));
  if (!file.is_open() || calls::read(file.get(), text.data(), text.size() - 1) <= 0) {
    return 0;
  }
  unsigned long pages = 0;
  return std::sscanf(text.data(), "%*u %lu", &pages) == 1 ? pages : 0;
}

}  // namespace

ProcessUsage process_usage() noexcept {
  rusage usage{};
  (void)getrusage(RUSAGE_SELF, &usage);  // Cannot fail with these arguments.
  return {.cpu_user = time_of(usage.ru_utime),
          .cpu_system = time_of(usage.ru_stime),
          .resident_bytes = resident_pages() * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
}

double unix_seconds() noexcept {
  timespec time{};
  (void)calls::clock_gettime(CLOCK_REALTIME, &time);  // Cannot fail with these arguments.
  constexpr double kNanosecond = 1e-9;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * kNanosecond;
}

}  // namespace echod::sys
