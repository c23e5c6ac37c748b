#include "upgrade/program_check.hpp"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "config/toml_value.hpp"
#include "sys/child_process.hpp"
#include "sys/io_result.hpp"
#include "sys/prepared_exec.hpp"
#include "sys/signal_fd.hpp"
#include "upgrade/program_environment.hpp"

namespace echod {

namespace {

sys::PreparedExec prepared_check(const ProgramFile& program) {
  std::vector<std::string> arguments = program.arguments();
  if (arguments.empty()) {
    arguments.push_back(program.path());
  }
  // In front of the others: behind "--" it would not be an option.
  arguments.insert(arguments.begin() + 1, kCheckOption);
  return {program.path(), std::move(arguments), check_environment(sys::kPassedDescriptor)};
}

// The last line that is not empty.
std::string_view last_line(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  const std::size_t line_end = text.rfind('\n');
  return line_end == std::string_view::npos ? text : text.substr(line_end + 1);
}

// What the program said last, without its own name: "echod: no memory" becomes "no memory".
std::string last_words(const ProgramFile& program, std::string_view errors) {
  constexpr std::size_t kMaxBytes = 512;
  std::string_view line = last_line(errors);
  const std::vector<std::string>& arguments = program.arguments();
  const std::string_view name = arguments.empty() ? std::string_view() : arguments.front();
  for (const std::string_view prefix :
       {std::string_view(program.path()), name, std::string_view("echod")}) {
    if (!prefix.empty() && line.starts_with(prefix) &&
        line.substr(prefix.size()).starts_with(": ")) {
      line.remove_prefix(prefix.size() + 2);
      break;
    }
  }
  return one_line(line, kMaxBytes);
}

// Why the program cannot take over; "" if it can.
std::string refusal_of(const ProgramFile& program, const sys::ChildOutcome& outcome,
                       sys::Duration limit) {
  const std::string name = shown_name(program.path());
  if (outcome.failed_call != nullptr) {
    const std::string reason = sys::error_text(outcome.error);
    return std::string_view(outcome.failed_call) == "posix_spawn"
               ? name + " cannot be executed: " + reason
               : name + " cannot be checked: " + outcome.failed_call + ": " + reason;
  }
  if (outcome.is_cancelled) {
    return "the check of " + name + " was cancelled";
  }
  const std::string words = last_words(program, outcome.errors);
  const std::string explanation = words.empty() ? "" : ": " + words;
  if (outcome.has_timed_out) {
    const double seconds = std::chrono::duration<double>(limit).count();
    return name + " gave no answer within " + number_text(seconds) + " s" + explanation;
  }
  if (outcome.is_output_cut) {
    return name + " printed more than 1 MiB instead of its configuration";
  }
  if (outcome.signal != 0) {
    return name + " was killed by " + sys::signal_name(outcome.signal) + explanation;
  }
  if (outcome.exit_code != 0) {
    return words.empty() ? name + " exited with code " + std::to_string(outcome.exit_code)
                         : name + explanation;
  }
  // A program that ignores the option may do this.
  return outcome.output.empty() ? name + " printed no configuration" : "";
}

}  // namespace

CheckResult check_program(const ProgramFile& program, int state_fd, sys::Duration limit,
                          int cancel) {
  if (program.path().empty()) {
    return {.configuration = "",
            .refusal = "the path of the program is not known: /proc/self/exe cannot be read"};
  }
  sys::ChildOutcome outcome =
      sys::run_child(prepared_check(program), state_fd, sys::MonotonicClock::now() + limit, cancel);
  CheckResult result;
  result.refusal = refusal_of(program, outcome, limit);
  if (result.is_accepted()) {
    result.configuration = std::move(outcome.output);
  }
  return result;
}

}  // namespace echod
