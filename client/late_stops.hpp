// Signals after the run: nothing but its output is left, which may wait for a pipe or a terminal.
// Thread-safety: for the main thread, when all others have ended.
#pragma once

#include "stop_requests.hpp"

namespace echod::client {

// From now on SIGINT and SIGTERM end the process once they mean "now", counted on from `stops`, the
// signals during the run. Those that came since the run ended count too. Throws std::system_error.
void end_process_on_repeated_stop(const StopRequests& stops);

}  // namespace echod::client
