// This thread, and the processes it starts, on one of the CPUs that it may use, while the object
// lives.
// Thread-safety: belongs to the thread that made it.
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
  ~OneCpu() { (void)sched_setaffinity(0, sizeof before_, &before_); }  // As it was: cannot fail.
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  const cpu_set_t before_ = allowed_cpus();
};

}  // namespace echod::test
