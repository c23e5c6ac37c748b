// Stops one thread of another process while the object exists, as a debugger does (ptrace(2)).
// Thread-safety: create and destroy it in the same thread.
#pragma once

#include <sys/types.h>

#include <string>

namespace echod::test {

class StoppedThread {
 public:
  // Stops the thread of this name (/proc/PID/task/TID/comm). Throws if there is no such thread, or
  // if it cannot be stopped.
  StoppedThread(pid_t process, const std::string& name);
  ~StoppedThread();
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;

 private:
  pid_t thread_;
};

}  // namespace echod::test
