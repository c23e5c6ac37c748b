// The clients: one thread, blocking connects (over loopback the kernel completes them at once,
// whether or not the server accepts), 64 bytes to echo.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spread {

// `count` connections, each echoing once before the next one connects.
std::vector<int> connect_one_by_one(std::uint16_t port, std::size_t count);

// `count` connections as fast as non-blocking connects can be called.
std::vector<int> connect_in_a_burst(std::uint16_t port, std::size_t count);

// By a reset, so that none of them stays behind in TIME_WAIT.
void reset_all(std::vector<int>& connections);

// 32 clients that connect, echo and close, over and over. Returns how often they did in all.
std::uint64_t churn(std::uint16_t port, std::chrono::milliseconds duration);

// Clients that connect one after another, one each `interval` whether or not the ones before were
// answered, and echo once. Returns the milliseconds from the connect to the echo.
std::vector<double> drip(std::uint16_t port, std::size_t count, std::chrono::milliseconds interval);

}  // namespace spread
