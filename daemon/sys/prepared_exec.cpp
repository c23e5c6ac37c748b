#include "sys/prepared_exec.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "sys/invariant.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

void set_close_on_exec(std::span<const int> descriptors) noexcept {
  for (const int fd : descriptors) {
    (void)calls::fcntl(fd, F_SETFD, FD_CLOEXEC);  // Fails only for closed descriptors.
  }
}

PreparedExec::PreparedExec(std::string path, std::vector<std::string> arguments,
                           std::vector<std::string> environment)
    : path_(std::move(path)),
      arguments_(std::move(arguments)),
      environment_(std::move(environment)),
      argument_pointers_(pointers_to(arguments_)),
      environment_pointers_(pointers_to(environment_)) {}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

int replace_program(const PreparedExec& program, std::span<const int> descriptors) noexcept {
  invariant(::gettid() == ::getpid(), "only the main thread replaces the program");
  for (std::size_t index = 0; index < descriptors.size(); ++index) {
    if (calls::fcntl(descriptors[index], F_SETFD, 0) != 0) {
      const int error = errno;
      set_close_on_exec(descriptors.first(index));
      return error;
    }
  }
  (void)::execve(program.path().c_str(), program.arguments(), program.environment());
  const int error = errno;  // execve(2) returns only if it fails.
  set_close_on_exec(descriptors);
  return error;
}

}  // namespace echod::sys
