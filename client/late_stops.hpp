// Handles stop signals after the run, while its results are written. Writing may block on a pipe or
// terminal.
// Thread-safety: must be called from the main thread. All other threads must block both signals.
#pragma once

#include "client/load/stop_requests.hpp"

namespace echod::client {

// From now on, SIGINT or SIGTERM ends the process if it arrives at least 1 s after the first one
// (StopRequests::kSameStop). `stops` knows the signals received during the run. Unblocks both
// signals, so pending signals are handled too. Throws std::system_error.
void end_process_on_repeated_stop(const StopRequests& stops);

}  // namespace echod::client
