// Handles stop signals after the run, while its results are written. Writing may block on a pipe or
// terminal.
// Thread-safety: must be called from the main thread, after all other threads have ended.
#pragma once

#include "client/load/stop_requests.hpp"

namespace echod::client {

// Makes SIGINT and SIGTERM end the process if they mean StopRequest::now. `stops` has the signals
// received during the run. Unblocks both signals, so those pending are handled too. Throws
// std::system_error.
void end_process_on_repeated_stop(const StopRequests& stops);

}  // namespace echod::client
