// Settings of the process, which main() applies before it starts a thread, and the name of a
// thread.
//
// Thread-safety: only name_this_thread() and reap_children() may be called while other threads run.
#pragma once

#include <string>

namespace echod::sys {

// Makes writes to closed pipes and sockets (SIGPIPE) and above the file size limit (SIGXFSZ) fail
// with an errno instead of killing the process.
void ignore_write_signals() noexcept;

// Makes the kernel reap all children, and reaps those that have ended already. echod has children
// that it did not start: those of the program that it replaced by execve(2), and all orphans if it
// is PID 1 of a container. child_process.hpp can still wait for the children that it starts.
void reap_children() noexcept;

// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed. Otherwise a socket could
// get such a number, and printed text would go to a peer.
void fill_standard_descriptors() noexcept;

// Removes environment variables with an empty value, so that they count as not set.
void drop_empty_variables() noexcept;

// Disables transparent huge pages (prctl(2), PR_SET_THP_DISABLE). If they are on for all programs,
// touching one byte costs 2 MiB of memory. No-op if the kernel has no huge pages.
void disable_huge_pages() noexcept;

// Sets the name of the calling thread that tools such as top -H show. The kernel keeps 15 bytes.
void name_this_thread(const std::string& name) noexcept;

}  // namespace echod::sys
