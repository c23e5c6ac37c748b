// What a process has, read from /proc: to see that it has the same later.
// Thread-safety: stateless.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "files.hpp"

namespace echod::test {

inline std::string proc_path(pid_t process, const std::string& name) {
  return "/proc/" + std::to_string(process) + '/' + name;
}

// Where its descriptors lead to. Descriptors that lead to nameless objects of one kind, such as
// event queues, are told apart by their number only.
inline std::multiset<std::string> descriptors_of(pid_t process) {
  std::multiset<std::string> targets;
  for (const auto& fd : std::filesystem::directory_iterator(proc_path(process, "fd"))) {
    std::error_code gone;
    targets.insert(std::filesystem::read_symlink(fd, gone).string());
  }
  return targets;
}

// The names of its threads, with the nice value and the CPUs of each.
inline std::multiset<std::string> threads_of(pid_t process) {
  std::multiset<std::string> threads;
  for (const auto& task : std::filesystem::directory_iterator(proc_path(process, "task"))) {
    std::string stat = read_file(task.path() / "stat");
    const std::size_t name = stat.find('(') + 1;
    const std::size_t name_end = stat.rfind(')');
    std::istringstream fields(stat.substr(name_end + 2));
    std::vector<std::string> values;
    for (std::string value; fields >> value;) {
      values.push_back(value);
    }
    constexpr std::size_t kNice = 16;  // The 19th field of proc_pid_stat(5).
    threads.insert(stat.substr(name, name_end - name) + " nice=" + values.at(kNice));
  }
  return threads;
}

// Everything else that an execve(2) in the same process should leave alone, by name.
inline std::map<std::string, std::string> facts_of(pid_t process) {
  static const std::set<std::string> kStatus{
      "Name",   "Umask",  "Tgid",   "PPid",   "Uid",        "Gid",     "Groups",
      "SigBlk", "SigIgn", "SigPnd", "ShdPnd", "NoNewPrivs", "Seccomp", "Cpus_allowed",
      "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
  std::map<std::string, std::string> facts;
  for (const std::string& line : lines_of(read_file(proc_path(process, "status")))) {
    const std::size_t colon = line.find(':');
    if (kStatus.contains(line.substr(0, colon))) {
      facts[line.substr(0, colon)] = line.substr(colon + 1);
    }
  }
  for (const char* const name : {"cmdline", "comm", "limits", "oom_score_adj"}) {
    facts[name] = read_file(proc_path(process, name));
  }
  for (const char* const name : {"cwd", "exe", "root"}) {
    facts[name] = std::filesystem::read_symlink(proc_path(process, name)).string();
  }
  return facts;
}

}  // namespace echod::test
