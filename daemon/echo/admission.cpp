#include "admission.hpp"

#include <algorithm>

#include "invariant.hpp"
#include "listener.hpp"

namespace echod {

void Admission::leave() noexcept {
  invariant(connections_ > 0, "only those who entered leave");
  --connections_;
  resume_waiting();
}

void Admission::set_max_connections(std::uint32_t max_connections) noexcept {
  max_connections_ = max_connections;
  resume_waiting();
}

void Admission::wait_for_room(Listener& listener) noexcept {
  if (std::find(waiting_.begin(), waiting_.end(), &listener) == waiting_.end()) {
    waiting_.push_back(&listener);  // Within what reserve_waiter() made room for.
  }
}

void Admission::forget(Listener& listener) noexcept {
  std::erase(waiting_, &listener);
}

void Admission::resume_waiting() noexcept {
  if (is_full()) {
    return;
  }
  for (Listener* const listener : waiting_) {
    listener->resume();
  }
  waiting_.clear();
}

}  // namespace echod
