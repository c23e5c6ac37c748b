// explore [--depth N] [--expect-violation] [SCENARIO...]
// Explores all scenarios, or those named (see explorer.hpp). The exit code is 0 if no rule is
// violated, and 1 if one is; then it prints the run that shows it. With --expect-violation, for the
// mutants, the exit code is 0 if a rule is violated, and 1 if not.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "explorer.hpp"

namespace {

using echod::test::Explorer;
using echod::test::Scenario;

constexpr std::size_t kNoBound = SIZE_MAX;

std::vector<Scenario> scenarios_of_one() {
  return {
      {.name = "one",
       .what = "one connection with a buffer",
       .world = {.turn_bytes = 2, .turn_reads = 2},
       .has_urgent_bytes = true,
       .has_resets = true,
       .has_drain = true,
       .depth = kNoBound},
      {.name = "one-unbuffered",
       .what = "one connection, without a free reply buffer",
       .world = {.blocks = 0, .turn_bytes = 2, .turn_reads = 2},
       .has_urgent_bytes = true,
       .has_resets = true,
       .has_drain = true,
       .depth = kNoBound},
      {.name = "one-roomy",
       .what = "one connection with queues that hold more than a turn moves",
       .world = {.socket = {.receive_bytes = 3, .send_bytes = 4}, .turn_bytes = 2, .turn_reads = 2},
       .has_urgent_bytes = true,
       .has_resets = true,
       .has_drain = true,
       .depth = kNoBound},
      {.name = "one-spliced",
       .what = "one connection that splices",
       .world = {.socket = {.receive_bytes = 4, .send_bytes = 3, .pipe_slots = 3},
                 .block_bytes = 3,
                 .turn_bytes = 3,
                 .turn_reads = 2,
                 .pipes = 1},
       .has_urgent_bytes = true,
       .has_resets = true,
       .has_drain = true,
       .depth = 10},
      {.name = "one-pieces",
       .what = "one connection whose small pieces fill a pipe before splice is worthwhile",
       .world = {.socket = {.receive_bytes = 3, .send_bytes = 2, .pipe_slots = 1},
                 .block_bytes = 3,
                 .turn_bytes = 3,
                 .turn_reads = 2,
                 .pipes = 1},
       .has_urgent_bytes = true,
       .has_resets = true,
       .has_drain = true,
       .depth = 10},
  };
}

std::vector<Scenario> scenarios_of_two() {
  return {
      {.name = "two",
       .what = "two connections, a buffer for each",
       .world = {.connections = 2, .blocks = 2, .turn_bytes = 2, .turn_reads = 1},
       .depth = 9},
      {.name = "two-sharing",
       .what = "two connections, one buffer",
       .world = {.connections = 2,
                 .socket = {.receive_bytes = 2, .send_bytes = 1},
                 .blocks = 1,
                 .turn_bytes = 2,
                 .turn_reads = 1},
       .has_resets = true,
       .has_drain = true,
       .depth = 6},
      {.name = "two-spliced",
       .what = "two connections, one pipe",
       .world = {.connections = 2,
                 .socket = {.receive_bytes = 4, .send_bytes = 2, .pipe_slots = 3},
                 .block_bytes = 3,
                 .blocks = 2,
                 .turn_bytes = 3,
                 .turn_reads = 2,
                 .pipes = 1},
       .has_resets = true,
       .depth = 7},
  };
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all = scenarios_of_one();
  for (const Scenario& scenario : scenarios_of_two()) {
    all.push_back(scenario);
  }
  return all;
}

Explorer* running = nullptr;

void print(const std::vector<std::string>& trace) {
  for (const std::string& line : trace) {
    (void)std::printf("  %s\n", line.c_str());
  }
}

// Prints the sequence that led to an abort, which is a violated invariant of the daemon. It is not
// async-signal-safe, but the program ends after it.
void on_abort(int /*signal*/) {
  (void)std::signal(SIGABRT, SIG_DFL);
  (void)std::printf("aborted\n");
  if (running != nullptr) {
    print(running->current_sequence());
  }
}

// Explores a scenario and prints the result. Returns whether a rule is violated.
bool explore(const Scenario& scenario, std::size_t depth) {
  const auto start = std::chrono::steady_clock::now();
  Explorer explorer(scenario, depth);
  running = &explorer;
  const std::string violation = explorer.explore();
  running = nullptr;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  (void)std::printf(
      "%-15s %9zu states  %9zu sequences of up to %2zu acts%s  %10llu calls  %6.2f s\n",
      scenario.name.c_str(), explorer.states(), explorer.runs(), explorer.longest(),
      explorer.is_complete() && violation.empty() ? ", all states" : "            ",
      static_cast<unsigned long long>(explorer.calls()), time.count());
  if (!violation.empty()) {
    (void)std::printf("%s: %s: %s\n", scenario.name.c_str(), scenario.what.c_str(),
                      violation.c_str());
    print(explorer.trace());
  }
  (void)std::fflush(stdout);
  return !violation.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<std::size_t> depth;
  bool expects_violation = false;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--depth" && i + 1 < argc) {
      depth = std::strtoul(argv[++i], nullptr, 10);
    } else if (argument == "--expect-violation") {
      expects_violation = true;
    } else {
      wanted.push_back(argument);
    }
  }
  (void)std::signal(SIGABRT, on_abort);
  std::size_t explored = 0;
  for (const Scenario& scenario : all_scenarios()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), scenario.name) == wanted.end()) {
      continue;
    }
    ++explored;
    if (explore(scenario, depth.value_or(scenario.depth))) {
      return expects_violation ? 0 : 1;
    }
  }
  if (explored == 0) {
    (void)std::fprintf(stderr, "explore: there is no scenario with this name\n");
    return 64;
  }
  return expects_violation ? 1 : 0;
}
