// What echoctl prints.
// Thread-safety: none. Blocks while a reader is slow.
#pragma once

#include <string>

namespace echod::ctl {

// Prints to standard output, with a newline at the end if there is none. Throws FatalError.
void print(std::string text);
// Prints a line to standard error, after the name of the program.
void report(const std::string& line);

}  // namespace echod::ctl
