// A series of things that happen to a simulated worker: acts of clients, failures of calls, orders
// of the operator, time that passes. The property test and the fuzz target choose them at random.
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "world.hpp"

namespace echod::test {

// Happens `pause` calls of the daemon after the one before it, or as soon as the daemon waits.
struct Happening {
  enum class Kind : std::uint8_t {
    act,           // `act` of the client, `times` times or as often as it can.
    failure,       // The next `call` fails with `error`, which may be EINTR.
    short_write,   // The next `call` takes `times` bytes.
    drain,         // The worker is told to drain.
    abort,         // The worker is told to close all connections.
    close,         // An operator closes the connection.
    time,          // `times` halves of a second pass.
    other_blocks,  // A reload allows `times` modulo 3 blocks.
  };

  unsigned pause = 0;
  Kind kind = Kind::act;
  std::size_t connection = 0;  // Modulo the number of connections.
  Act act = Act::send;
  unsigned times = 1;
  Call call = Call::recv;
  int error = 0;
};

std::ostream& operator<<(std::ostream& out, const Happening& happening);
std::ostream& operator<<(std::ostream& out, const WorldSettings& settings);

// Lets all of them happen, then lets the clients take everything and finish. Returns the rule that
// was violated, with all calls if `keeps_trace`; "" if there is none.
[[nodiscard]] std::string play(const WorldSettings& settings,
                               const std::vector<Happening>& happenings, bool keeps_trace);

}  // namespace echod::test
