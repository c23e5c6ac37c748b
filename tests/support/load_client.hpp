// Runs the built echoload against a server on loopback.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "daemon_process.hpp"
#include "deadline.hpp"

namespace echod::test {

struct LoadOutcome {
  int exit_code = 0;
  std::string out;
  std::string err;
  nlohmann::json json;  // What --json wrote; null if it wrote nothing.
};

[[nodiscard]] inline std::string local_target(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

inline constexpr const char* kMoment = kSanitized ? "2s" : "1s";

// `echoload run` with a short measuring time, unless `arguments` change it.
[[nodiscard]] inline LoadOutcome run_load(const std::string& target,
                                          const std::vector<std::string>& arguments) {
  const TemporaryDirectory directory;
  std::vector<std::string> words{ECHOLOAD_BINARY, "run",   "--warmup", "0",
                                 "--duration",    kMoment, "--json",   directory.file("json"),
                                 "--timeout",     "30s"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.push_back(target);
  const ChildResult result = run({.arguments = words});
  const std::string json = read_file(directory.file("json"));
  return {.exit_code = result.exit_code,
          .out = result.out,
          .err = result.err,
          .json = json.empty() ? nlohmann::json() : nlohmann::json::parse(json)};
}
[[nodiscard]] inline LoadOutcome run_load(std::uint16_t port,
                                          const std::vector<std::string>& arguments) {
  return run_load(local_target(port), arguments);
}

}  // namespace echod::test
