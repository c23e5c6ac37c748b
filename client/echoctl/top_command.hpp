// The command `echoctl top`.
//
// On a terminal it draws a picture for each interval; q, Ctrl-C, SIGTERM and a closed terminal end
// it. Otherwise it prints a line for each interval, and signals have their default actions. While
// echod does not answer, it says why and asks again.
// Thread-safety: none. Blocks until the end.
#pragma once

#include "client/echoctl/command_line.hpp"

namespace echod::ctl {

// Throws FatalError if echod does not answer the first time, or if nothing can be printed.
void run_top(const Options& options);

}  // namespace echod::ctl
