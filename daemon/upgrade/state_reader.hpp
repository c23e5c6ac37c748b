// Reads a state that StateWriter of this or of another version wrote (docs/upgrade-state.md).
//
// Thread-safety: a function without state. Does not wait.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>

#include "upgrade/state.hpp"

namespace echod {

// The state cannot be used. what() is one line that says where it is wrong.
class StateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Any bytes may be passed. Allocates at most a small multiple of their length. Unknown records and
// fields are skipped. The owed bytes of the connections point into `bytes`, which must outlive
// them. Throws StateError for a state that is damaged, incomplete, or not meant for this version,
// and may throw std::bad_alloc.
//
// After a successful return: each descriptor is above 2 and appears once; `service.connections` is
// the number of connections; each connection names a worker of `service.workers` and a listener
// below kMostListeners + 1; only a flushing connection owes bytes, in memory or in a pipe, and a
// pipe has both of its ends.
[[nodiscard]] UpgradeState read_state(std::span<const std::byte> bytes);

}  // namespace echod
