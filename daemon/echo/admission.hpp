// Who may come in: the bound on connections, and who waits for room.
//
// When the daemon is full nobody is refused: listeners stop taking connections, clients wait in the
// kernel's accept queue, and the close of any connection lets a listener go on at once.
//
// The listeners of a worker wait in a line, so that one whose queue is never empty cannot keep the
// others out; workers whose line is not empty take turns (roster.hpp). Each connection that leaves,
// of whichever worker, resumes one listener, the first of a line. It keeps its place until it tries
// to accept (another may take the room before its turn comes), and if it has to wait again after
// that it goes to the tail. A listener that ends a turn while there is room calls pass_on(), so
// that at any time one of these holds: there is no room, nobody waits for room, or somebody who was
// resumed is about to have a turn.
//
// Thread-safety: belongs to one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "roster.hpp"

namespace echod {

class Listener;

class Admission {
 public:
  // That of the worker with this number.
  Admission(Roster& roster, std::size_t worker) noexcept : roster_(roster), worker_(worker) {}

  [[nodiscard]] bool is_full() const noexcept { return roster_.is_full(); }
  [[nodiscard]] std::uint32_t connections() const noexcept { return roster_.connections(); }
  [[nodiscard]] std::uint32_t max_connections() const noexcept { return roster_.max_connections(); }

  // Takes room for one connection, if there is any.
  [[nodiscard]] bool try_enter() noexcept { return roster_.try_enter(); }
  // Whether there is room or not.
  void enter() noexcept { roster_.enter(); }
  // Nobody came: the room is there as before. Resumes nobody.
  void give_back() noexcept { roster_.give_back(); }
  // A connection has gone, its descriptor with it: resumes the first who waits.
  void leave() noexcept;
  // Resumes the first who waits for room, if there is any. Not those who wait for resources: the
  // one who calls this may have found just now that there are none.
  void pass_on() noexcept;
  // From another worker: it is this one's turn to be resumed. If nobody waits here any more, it is
  // somebody else's.
  void on_room(Waiters waiters) noexcept;
  // This worker was late: what it should have been told may have been told to others.
  void catch_up() noexcept;

  // Established connections stay when the bound sinks below their number. If there is room then,
  // resumes all who wait.
  void set_max_connections(std::uint32_t max_connections) noexcept;

  // At start, makes a place for one more listener (may throw).
  void reserve_waiter() { line_.reserve(++waiters_); }
  // `listener` found that it is full: it waits at the place it has, or else at the tail.
  void wait_for_room(Listener& listener) noexcept;
  // `listener` could not accept: it waits at the tail. It has a timer too, for when nobody leaves.
  void wait_for_resources(Listener& listener) noexcept;
  // Gives up the place of `listener`, if it has one.
  void forget(Listener& listener) noexcept;

 private:
  enum class Want : std::uint8_t { room, resources, turn };  // `turn`: it was resumed.
  struct Place {
    Listener* listener;
    Want want;
  };

  bool resume_first(Waiters waiters) noexcept;
  void resume_anybody(Waiters waiters) noexcept;
  void resume(Place& place) noexcept;
  void tell_roster() noexcept;

  Roster& roster_;
  std::size_t worker_;
  std::size_t waiters_ = 0;
  std::vector<Place> line_;
};

}  // namespace echod
