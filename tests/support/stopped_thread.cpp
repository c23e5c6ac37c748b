#include "stopped_thread.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "files.hpp"

namespace echod::test {

namespace {

pid_t find_thread(pid_t process, const std::string& name) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    if (read_file(task.path() / "comm") == name + '\n') {
      return std::stoi(task.path().filename());
    }
  }
  throw std::runtime_error("there is no thread named " + name);
}

}  // namespace

StoppedThread::StoppedThread(pid_t process, const std::string& name)
    : thread_(find_thread(process, name)) {
  if (ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0 ||
      ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0 ||
      waitpid(thread_, nullptr, __WALL) != thread_) {
    throw std::system_error(errno, std::system_category(), "ptrace " + name);
  }
}

StoppedThread::~StoppedThread() {
  if (ptrace(PTRACE_DETACH, thread_, nullptr, nullptr) != 0) {
    (void)waitpid(thread_, nullptr, __WALL);  // It was killed. Reap it, or its process cannot end.
  }
}

}  // namespace echod::test
