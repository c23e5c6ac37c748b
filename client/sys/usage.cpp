#include "client/sys/usage.hpp"

#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

// The content of a file, or what could be read of it. Reading fails if the thread or process ends
// meanwhile. operator<< treats that as the end of the file; a stream iterator would throw.
std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::chrono::nanoseconds from_ticks(std::uint64_t ticks) {
  constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
  const auto per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return std::chrono::nanoseconds(static_cast<std::int64_t>(ticks * kNanosPerSecond / per_second));
}

// CPU time of all threads of a process, to the nanosecond.
std::optional<std::chrono::nanoseconds> cpu_clock(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || calls::clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Field 14 of /proc/PID/stat. The name, field 2, may contain any characters, even parentheses.
std::optional<std::chrono::nanoseconds> user_time(const std::string& directory) {
  const std::string stat = contents(directory + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  constexpr int kFirstField = 3;
  constexpr int kUserField = 14;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = kFirstField; field < kUserField; ++field) {
    fields >> skipped;
  }
  std::uint64_t user = 0;
  fields >> user;
  return fields.fail() ? std::nullopt : std::optional(from_ticks(user));
}

std::uint64_t status_value(const std::string& status, const std::string& name) {
  const std::size_t at = status.find('\n' + name + ':');
  std::uint64_t value = 0;
  if (at != std::string::npos) {
    std::istringstream(status.substr(at + name.size() + 2)) >> value;
  }
  return value;
}

}  // namespace

std::optional<ServerUsage> process_usage(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  ServerUsage usage;
  const auto user = user_time(directory);
  const auto sum = cpu_clock(pid);  // Read second, so that it is not below `user`.
  if (!user || !sum) {
    return std::nullopt;
  }
  usage.user = *user;
  usage.system = *sum - *user;
  constexpr std::uint64_t kBytesPerKib = 1024;
  usage.resident_bytes = status_value(contents(directory + "/status"), "VmRSS") * kBytesPerKib;
  std::error_code error;
  for (std::filesystem::directory_iterator thread(directory + "/task", error), end;
       !error && thread != end; thread.increment(error)) {
    const std::string status = contents(thread->path().string() + "/status");
    usage.voluntary_switches += status_value(status, "voluntary_ctxt_switches");
    usage.involuntary_switches += status_value(status, "nonvoluntary_ctxt_switches");
  }
  return usage;
}

ThreadUsage thread_usage() {
  std::int64_t running = 0;
  std::int64_t waiting = 0;
  std::ifstream("/proc/thread-self/schedstat") >> running >> waiting;
  return {.running = std::chrono::nanoseconds(running),
          .waiting = std::chrono::nanoseconds(waiting)};
}

}  // namespace echod::sys
