// A program with its arguments and environment, in the form that execve(2) and posix_spawn(3) take,
// and the exec itself.
//
// Owns copies of all strings. Thread-safety: none; but several threads may read one object.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace echod::sys {

class PreparedExec {
 public:
  // `path` is executed as it is, without a search in PATH. The first argument is the name of the
  // program; the environment has "NAME=value" strings. Throws std::bad_alloc.
  PreparedExec(std::string path, std::vector<std::string> arguments,
               std::vector<std::string> environment);
  PreparedExec(PreparedExec&&) noexcept = default;
  PreparedExec& operator=(PreparedExec&&) noexcept = default;
  PreparedExec(const PreparedExec&) = delete;
  PreparedExec& operator=(const PreparedExec&) = delete;
  ~PreparedExec() = default;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Arrays that end with a null pointer, for execve(2).
  [[nodiscard]] char* const* arguments() const noexcept { return argument_pointers_.data(); }
  [[nodiscard]] char* const* environment() const noexcept { return environment_pointers_.data(); }

 private:
  std::string path_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argument_pointers_;  // Into the strings above, which never change.
  std::vector<char*> environment_pointers_;
};

// Sets CLOEXEC on `descriptors`: no later program inherits them.
void set_close_on_exec(std::span<const int> descriptors) noexcept;

// A copy of the environment of this process. Throws std::bad_alloc. No thread may change the
// environment during the call.
[[nodiscard]] std::vector<std::string> environment();

// Replaces the program of this process by `program` (execve(2)). The new program inherits
// `descriptors`, which are open; all others must have CLOEXEC. The process ID, the signal mask and
// ignored signals stay.
//
// Does not return if it succeeds. If a call fails, sets CLOEXEC on `descriptors` again and returns
// the errno, which is never 0. Does not allocate.
//
// Must be called from the main thread: from another one, the new program would inherit the CPU
// affinity, the priority and the signal mask of that thread. The kernel ends all other threads and
// waits for them. Blocks while the kernel reads the beginning of the file.
[[nodiscard]] int replace_program(const PreparedExec& program,
                                  std::span<const int> descriptors) noexcept;

}  // namespace echod::sys
