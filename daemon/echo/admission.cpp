#include "admission.hpp"

#include <algorithm>

#include "invariant.hpp"
#include "listener.hpp"

namespace echod {

void Admission::leave() noexcept {
  invariant(connections_ > 0, "only those who entered leave");
  --connections_;
  const auto first = std::find_if(line_.begin(), line_.end(),
                                  [](const Place& place) { return place.want != Want::turn; });
  if (!is_full() && first != line_.end()) {
    resume(*first);
  }
}

void Admission::pass_on() noexcept {
  const auto first = std::find_if(line_.begin(), line_.end(),
                                  [](const Place& place) { return place.want == Want::room; });
  if (!is_full() && first != line_.end()) {
    resume(*first);
  }
}

void Admission::set_max_connections(std::uint32_t max_connections) noexcept {
  max_connections_ = max_connections;
  if (!is_full()) {
    std::for_each(line_.begin(), line_.end(), resume);
  }
}

// The line has room for every listener: reserve_waiter().
void Admission::wait_for_room(Listener& listener) noexcept {
  const auto place = std::find_if(line_.begin(), line_.end(),
                                  [&](const Place& other) { return other.listener == &listener; });
  if (place != line_.end()) {
    place->want = Want::room;
  } else {
    line_.push_back({.listener = &listener, .want = Want::room});
  }
}

void Admission::wait_for_resources(Listener& listener) noexcept {
  forget(listener);
  line_.push_back({.listener = &listener, .want = Want::resources});
}

void Admission::forget(Listener& listener) noexcept {
  std::erase_if(line_, [&](const Place& place) { return place.listener == &listener; });
}

void Admission::resume(Place& place) noexcept {
  place.want = Want::turn;
  place.listener->resume();
}

}  // namespace echod
