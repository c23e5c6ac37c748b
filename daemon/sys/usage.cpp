#include "usage.hpp"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace echod::sys {

namespace {

// Of what has ended, nothing: a thread may end while its file is read, which makes the read fail.
// An insertion takes that for the end of the file; an iterator would throw.
std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Of all threads of a process, to the nanosecond.
std::optional<std::chrono::nanoseconds> cpu_clock(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Fields 14 and 15 of /proc/PID/stat say in ticks how the time divides. The name, field 2, may hold
// anything, even parentheses.
bool read_cpu_time(const std::string& directory, std::chrono::nanoseconds sum,
                   ProcessUsage& usage) {
  const std::string stat = contents(directory + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return false;
  }
  constexpr int kFirstField = 3;
  constexpr int kUserField = 14;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = kFirstField; field < kUserField; ++field) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  const double share = user + system > 0 ? user / (user + system) : 0;
  usage.user = std::chrono::duration_cast<std::chrono::nanoseconds>(share * sum);
  usage.system = sum - usage.user;
  return !fields.fail();
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

std::optional<ProcessUsage> process_usage(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  ProcessUsage usage;
  const auto cpu_time = cpu_clock(pid);
  if (!cpu_time || !read_cpu_time(directory, *cpu_time, usage)) {
    return std::nullopt;
  }
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
