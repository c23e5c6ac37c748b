#include "sys/available_cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

namespace echod::sys {

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

std::size_t cpus_of_affinity() noexcept {
  constexpr std::size_t kSets = 8;  // Each has 1024 CPUs; Linux supports at most 8192.
  std::array<cpu_set_t, kSets> mask{};
  if (sched_getaffinity(0, sizeof mask, mask.data()) != 0) {
    return 1;
  }
  return static_cast<std::size_t>(CPU_COUNT_S(sizeof mask, mask.data()));
}

// Version 2: cpu.max has "QUOTA PERIOD", such as "200000 100000" or "max 100000".
double cpus_of_max(const std::string& path) {
  std::ifstream file(path);
  double quota = 0;
  double period = 0;
  return file >> quota >> period && period > 0 ? quota / period : kNoLimit;
}

// Version 1: two files; a quota of -1 means no limit.
double cpus_of_quota(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period
                                                                                 : kNoLimit;
}

// The lowest limit of a control group and of its parents. `mount` is the root of the hierarchy.
template <typename CpusOf>
double least_upwards(const std::string& mount, std::string group, CpusOf cpus_of) {
  double least = cpus_of(mount);  // In a container this is often the process's own group.
  while (group.size() > 1) {
    least = std::min(least, cpus_of(mount + group));
    group.erase(group.rfind('/'));
  }
  return least;
}

bool lists_cpu(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == "cpu") {
      return true;
    }
  }
  return false;
}

// A line of /proc/self/cgroup is "ID:CONTROLLERS:GROUP"; CONTROLLERS is empty in version 2.
double cpus_of_groups(const std::string& root) {
  const std::string mounts = root + "/sys/fs/cgroup";
  double least = kNoLimit;
  std::ifstream file(root + "/proc/self/cgroup");
  std::string id;
  std::string controllers;
  std::string group;
  while (std::getline(file, id, ':') && std::getline(file, controllers, ':') &&
         std::getline(file, group)) {
    if (controllers.empty()) {
      least = std::min(least, least_upwards(mounts, group, [](const std::string& folder) {
                         return cpus_of_max(folder + "/cpu.max");
                       }));
    } else if (lists_cpu(controllers)) {
      for (const std::string& name :
           {controllers, std::string("cpu")}) {  // The mount may have either name.
        const std::string mount = std::string(mounts).append(1, '/').append(name);
        least = std::min(least, least_upwards(mount, group, cpus_of_quota));
      }
    }
  }
  return least;
}

}  // namespace

std::size_t available_cpus(const std::string& root) {
  const std::size_t cpus = std::max<std::size_t>(cpus_of_affinity(), 1);
  const double quota = std::ceil(cpus_of_groups(root));
  return quota < static_cast<double>(cpus) ? static_cast<std::size_t>(quota) : cpus;
}

}  // namespace echod::sys
