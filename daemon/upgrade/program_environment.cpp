#include "upgrade/program_environment.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "sys/prepared_exec.hpp"

namespace echod {

namespace {

// Our environment without the variables that begin with one of `left_out`.
std::vector<std::string> environment_without(std::initializer_list<std::string_view> left_out,
                                             int state_fd) {
  std::vector<std::string> variables = sys::environment();
  std::erase_if(variables, [&left_out](std::string_view variable) {
    return std::any_of(left_out.begin(), left_out.end(),
                       [variable](std::string_view begin) { return variable.starts_with(begin); });
  });
  variables.push_back(std::string(kStateVariable) + '=' + std::to_string(state_fd));
  return variables;
}

}  // namespace

std::vector<std::string> upgrade_environment(int state_fd) {
  return environment_without({"LISTEN_", "ECHOD_STATE_FD="}, state_fd);
}

std::vector<std::string> check_environment(int state_fd) {
  return environment_without({"LISTEN_", "ECHOD_STATE_FD=", "NOTIFY_SOCKET=", "WATCHDOG_"},
                             state_fd);
}

}  // namespace echod
