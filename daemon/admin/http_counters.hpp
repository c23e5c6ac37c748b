// What an HttpServer has done since it began. Thread-safety: plain data.
#pragma once

#include <cstdint>

namespace echod {

struct HttpCounters {
  std::uint64_t accepted = 0;    // Connections.
  std::uint64_t answered = 0;    // Responses of the statuses 1xx to 3xx.
  std::uint64_t refused = 0;     // Responses of the status 4xx.
  std::uint64_t failed = 0;      // Responses of the status 5xx.
  std::uint64_t pushed_out = 0;  // Connections closed to make room for a new one.
  std::uint64_t timed_out = 0;   // Connections whose deadline came before the end of the response.
  std::uint64_t accept_errors = 0;  // Failed calls of accept4(2), except for an empty queue.
};

}  // namespace echod
