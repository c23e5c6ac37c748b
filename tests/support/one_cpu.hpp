// Pins this thread, and the processes that it starts, to one of its CPUs while the object exists.
// Thread-safety: create and destroy it in the same thread.
#pragma once

#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

namespace echod::test {

[[nodiscard]] inline cpu_set_t allowed_cpus() {
  cpu_set_t cpus{};
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) {
    throw std::system_error(errno, std::system_category(), "sched_getaffinity");
  }
  return cpus;
}

class OneCpu {
 public:
  OneCpu() {
    cpu_set_t one{};
    for (std::size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) {
        CPU_SET(cpu, &one);
      }
    }
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
      throw std::system_error(errno, std::system_category(), "sched_setaffinity");
    }
  }
  // Cannot fail: these CPUs were allowed before.
  ~OneCpu() { (void)sched_setaffinity(0, sizeof before_, &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  const cpu_set_t before_ = allowed_cpus();
};

}  // namespace echod::test
