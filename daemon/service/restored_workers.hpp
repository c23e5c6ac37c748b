// Describes the counts and connections of the workers for the program that replaces this one, and
// restores them there.
//
// If the number of workers has changed, the connections are distributed round-robin over the new
// workers, and the counts of all old workers go to the first new one, so that the sums stay the
// same.
//
// Thread-safety: the main thread, while the workers are parked or before they start.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "echo/workers.hpp"
#include "upgrade/state.hpp"

namespace echod {

// Calls `visitor` for each connection of the workers, which must be parked.
void visit_parked(Workers& workers, const std::function<void(const ParkedConnection&)>& visitor);

// The counts of the workers, which may run. Throws std::bad_alloc.
[[nodiscard]] std::vector<WorkerState> states_of(Workers& workers);

// The index is the number of a listener in the earlier program. The value is its number in this
// one, or ListenerCounts::kRemoved.
using ListenerNumbers = std::array<ListenerCounts::Listener, kMostListeners + 1>;

// Makes the workers continue with the counts and connections of `state`, whose descriptors they
// take over; `memory` keeps what the state points into. Call it before they start. Throws
// std::bad_alloc.
void restore_workers(Workers& workers, const UpgradeState& state, const ListenerNumbers& listeners,
                     const std::shared_ptr<const void>& memory);

}  // namespace echod
