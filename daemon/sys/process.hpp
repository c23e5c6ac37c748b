// What a process sets up for itself once, before its first thread, and each thread for itself.
#pragma once

#include <string>

namespace echod::sys {

// Lets writes to closed pipes and sockets (SIGPIPE) and beyond the limit on file size (SIGXFSZ)
// fail with an errno instead of killing the process.
void ignore_write_signals() noexcept;

// Has the kernel reap children. echod starts none, but inherits some: those of a program that
// became echod by execve(2), and as PID 1 of a container all orphans.
void reap_children() noexcept;

// Opens /dev/null on whichever of the descriptors 0, 1 and 2 are closed: otherwise the next socket
// would get that number, and what is printed would go to a peer.
void fill_standard_descriptors() noexcept;

// Removes environment variables that are set but empty: they count as not set.
void drop_empty_variables() noexcept;

// No transparent huge pages (prctl(2), PR_SET_THP_DISABLE): where they are on for everybody, a page
// of 2 MiB is paid for when the first of its bytes is used. Does nothing where the kernel knows
// none.
void use_small_pages() noexcept;

// The name that tools such as top -H show for this thread; at most 15 bytes are kept.
void name_this_thread(const std::string& name) noexcept;

}  // namespace echod::sys
