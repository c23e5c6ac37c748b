#include "admission.hpp"

#include <algorithm>

#include "listener.hpp"

namespace echod {

void Admission::leave() noexcept {
  roster_.leave(worker_);
  resume_anybody(Waiters::any);
}

void Admission::pass_on() noexcept {
  resume_anybody(Waiters::for_room);
}

// The room may be gone again: who is resumed sees for itself.
void Admission::on_room(Waiters waiters) noexcept {
  if (!resume_first(waiters)) {
    resume_anybody(waiters);
  }
}

void Admission::catch_up() noexcept {
  tell_roster();
  pass_on();
}

void Admission::set_max_connections(std::uint32_t max_connections) noexcept {
  roster_.set_max_connections(max_connections);
  if (!is_full()) {
    std::for_each(line_.begin(), line_.end(), [this](Place& place) { resume(place); });
    tell_roster();
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
  tell_roster();
  // Another worker's connection may have left before the roster knew that somebody waits.
  if (!is_full()) {
    (void)resume_first(Waiters::for_room);
  }
}

void Admission::wait_for_resources(Listener& listener) noexcept {
  forget(listener);
  line_.push_back({.listener = &listener, .want = Want::resources});
  tell_roster();
}

void Admission::forget(Listener& listener) noexcept {
  if (!line_.empty()) {
    std::erase_if(line_, [&](const Place& place) { return place.listener == &listener; });
    tell_roster();
  }
}

// Of all workers.
void Admission::resume_anybody(Waiters waiters) noexcept {
  if (!is_full() && roster_.wake_one(worker_, waiters)) {
    (void)resume_first(waiters);
  }
}

// Of this worker. False: nobody here waits for that.
bool Admission::resume_first(Waiters waiters) noexcept {
  const auto first = std::find_if(line_.begin(), line_.end(), [waiters](const Place& place) {
    return place.want == Want::room || (place.want == Want::resources && waiters == Waiters::any);
  });
  const bool is_found = first != line_.end();
  if (is_found) {
    resume(*first);
  }
  tell_roster();
  return is_found;
}

void Admission::resume(Place& place) noexcept {
  place.want = Want::turn;
  place.listener->resume();
}

void Admission::tell_roster() noexcept {
  const auto is_wanted = [this](Want want) {
    return std::any_of(line_.begin(), line_.end(),
                       [want](const Place& place) { return place.want == want; });
  };
  roster_.set_wait(worker_, is_wanted(Want::room)        ? Roster::Wait::for_room
                            : is_wanted(Want::resources) ? Roster::Wait::for_resources
                                                         : Roster::Wait::nothing);
}

}  // namespace echod
