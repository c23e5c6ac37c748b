// The clients. They run in one thread with blocking connects: over loopback the kernel completes a
// connect at once, whether or not the server accepts. Messages have 64 bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spread {

// Makes `count` connections; each echoes once before the next one connects.
std::vector<int> connect_one_by_one(std::uint16_t port, std::size_t count);

// Makes `count` connections, as fast as non-blocking connects can be called.
std::vector<int> connect_in_a_burst(std::uint16_t port, std::size_t count);

// Closes the connections by a reset, so that none is left in TIME_WAIT.
void reset_all(std::vector<int>& connections);

// Runs 32 clients that connect, echo and close, again and again. Returns how often they did in
// total.
std::uint64_t churn(std::uint16_t port, std::chrono::milliseconds duration);

// Starts a client every `interval`, whether or not the earlier ones were answered. Each connects
// and echoes once. Returns the milliseconds from connect to echo.
std::vector<double> drip(std::uint16_t port, std::size_t count, std::chrono::milliseconds interval);

}  // namespace spread
