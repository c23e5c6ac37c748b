#include "sys/open_files.hpp"

#include <dirent.h>

#include <algorithm>
#include <memory>

#include "sys/kernel_setting.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

OpenFilesLimit open_files_limit() noexcept {
  rlimit limit{};
  (void)calls::getrlimit(RLIMIT_NOFILE, &limit);  // Cannot fail with these arguments.
  return {.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

std::uint64_t most_open_files() {
  return kernel_setting("fs/nr_open", kUsualMostOpenFiles);
}

OpenFilesLimit set_open_files(std::uint64_t wanted, std::uint64_t most) noexcept {
  const OpenFilesLimit now = open_files_limit();
  if (wanted == 0) {
    wanted = now.hard;
  }
  rlimit limit{.rlim_cur = wanted, .rlim_max = std::max<rlim_t>(wanted, now.hard)};
  if (calls::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    const rlim_t hard = std::min<rlim_t>(now.hard, most);
    limit = {.rlim_cur = std::min<rlim_t>(wanted, hard), .rlim_max = hard};
    (void)calls::setrlimit(RLIMIT_NOFILE, &limit);  // If this fails too, the old limits stay.
  }
  return open_files_limit();
}

// std::filesystem::directory_iterator would end the process if there is no memory.
std::size_t open_descriptors() noexcept {
  struct stat status {};
  if (calls::lstat("/proc/self/fd", &status) == 0 && status.st_size > 0) {
    return static_cast<std::size_t>(status.st_size);  // Linux 6.2 and later.
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), &closedir);
  if (folder == nullptr) {
    return 0;
  }
  std::size_t count = 0;
  while (const dirent* const entry = readdir(folder.get())) {  // NOLINT(concurrency-mt-unsafe)
    count += entry->d_name[0] != '.' ? 1U : 0U;
  }
  return count > 0 ? count - 1 : 0;  // Without the descriptor of the directory itself.
}

}  // namespace echod::sys
