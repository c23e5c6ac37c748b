// The correctness battery: small conversations with an echo server, any one, each of which shows
// that it does something right, or names what it does wrong.
// Thread-safety: one run at a time in a process (it counts descriptors); blocks until it is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/socket_address.hpp"

namespace echod::client {

struct CheckPlan {
  sys::SocketAddress server;
  std::uint32_t connections = 40;  // Of the checks in parallel.
  // How long to wait for the server to do anything at all; a check may take many times as long.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  std::uint32_t seed = 0;  // Of what is sent (keyed_stream.hpp).
  // Gets a line for each check that begins, and for each connect, send, receive, half-close, reset
  // and end. May be empty.
  std::function<void(const std::string&)> trace;
};

enum class CheckVerdict : std::uint8_t {
  pass,
  fail,
  skip,  // Nothing was learned about the server.
};

// "pass", "fail", "skip".
[[nodiscard]] std::string_view name_of(CheckVerdict verdict) noexcept;

struct CheckResult {
  std::string name;  // "half-close, late reader"
  CheckVerdict verdict = CheckVerdict::pass;
  std::string figure;  // "3.2 ms", "64 MiB at 410 MB/s"; may be empty.
  std::string reason;  // One line: what was seen, or what went wrong.
};

// Whether all passed.
[[nodiscard]] bool have_passed(const std::vector<CheckResult>& results) noexcept;

// Runs all checks, one after the other, whatever becomes of any; `on_result` (may be empty) gets
// each result as it is known. If the first check finds nobody to connect to, the others are
// skipped.
std::vector<CheckResult> run_checks(const CheckPlan& plan,
                                    const std::function<void(const CheckResult&)>& on_result);

}  // namespace echod::client
