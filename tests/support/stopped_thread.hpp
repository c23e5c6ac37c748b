// One thread of another process, stopped while the object lives, as a debugger stops it.
// Thread-safety: belongs to the thread that made it (ptrace(2)).
#pragma once

#include <sys/types.h>

#include <string>

namespace echod::test {

class StoppedThread {
 public:
  // The thread of this name (/proc/PID/task/TID/comm). Throws if there is none, or if it cannot be
  // stopped.
  StoppedThread(pid_t process, const std::string& name);
  ~StoppedThread();
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;

 private:
  pid_t thread_;
};

}  // namespace echod::test
