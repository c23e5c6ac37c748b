// Runs a list of correctness checks against any echo server. Each check is a short conversation.
// Thread-safety: only one run at a time in a process, because the check "in parallel" assumes that
// nearly all descriptors are free. Blocks until the run is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "client/sys/endpoint.hpp"

namespace echod::client {

struct CheckPlan {
  Endpoint server;
  std::uint32_t connections = 40;  // In the check "in parallel". UDP: sockets.
  // How long to wait without progress. A check may take many times as long in total.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  std::uint32_t seed = 0;  // Seed of the bytes sent (keyed_stream.hpp).
  // Called with one line for each start of a check, and for each connect, send, receive,
  // half-close, reset and end of file. May be empty.
  std::function<void(const std::string&)> trace;
};

enum class CheckVerdict : std::uint8_t {
  pass,
  fail,
  skip,  // The check could not be made.
  note,  // Shows a fact that is neither right nor wrong.
};

// "pass", "fail", "skip", "note".
[[nodiscard]] std::string_view name_of(CheckVerdict verdict) noexcept;

struct CheckResult {
  std::string name;  // "half-close, late reader"
  CheckVerdict verdict = CheckVerdict::pass;
  std::string figure;  // "3.2 ms", "64 MiB at 410 MB/s"; may be empty.
  std::string reason;  // One line: what was verified, or what went wrong.
};

// Whether no check failed or was skipped.
[[nodiscard]] bool have_passed(const std::vector<CheckResult>& results) noexcept;

// Runs all checks in order, also after a failure. Calls `on_result` with each result; it may be
// empty. If the first check cannot connect, the others are skipped.
std::vector<CheckResult> run_checks(const CheckPlan& plan,
                                    const std::function<void(const CheckResult&)>& on_result);

}  // namespace echod::client
