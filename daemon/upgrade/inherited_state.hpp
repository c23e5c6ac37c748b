// The state that this program inherits when it replaces another in the same process, or that it is
// to check (docs/upgrade.md).
//
// Owns the mapping of the state, not the descriptors that the state names. Thread-safety: none.
#pragma once

#include <memory>
#include <optional>

#include "sys/memory_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

class InheritedState {
 public:
  // Reads the state whose descriptor kStateVariable names, closes the descriptor and removes the
  // variable. Returns nothing without the variable. Must be called before the first thread starts.
  // Throws StateError, std::system_error or std::bad_alloc.
  [[nodiscard]] static std::optional<InheritedState> receive();

  [[nodiscard]] const UpgradeState& values() const noexcept { return values_; }
  // Keeps the bytes that values() points to.
  [[nodiscard]] std::shared_ptr<const void> memory() const noexcept { return map_; }

 private:
  explicit InheritedState(sys::MemoryMap map);

  std::shared_ptr<const sys::MemoryMap> map_;
  UpgradeState values_;  // Points into map_.
};

}  // namespace echod
