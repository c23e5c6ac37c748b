// Who may come in: the bound on connections, and who waits for room.
//
// When the daemon is full nobody is refused: listeners stop taking connections, clients wait in the
// kernel's accept queue, and the close of any connection lets a listener go on at once.
//
// Listeners wait in a line, so that one whose queue is never empty cannot keep the others out. Each
// connection that leaves resumes one of them, the first. It keeps its place until it tries to
// accept (another may take the room before its turn comes), and if it has to wait again after that
// it goes to the tail. A listener that ends a turn while there is room calls pass_on(), so that at
// any time one of these holds: there is no room, nobody waits for room, or somebody who was resumed
// is about to have a turn.
//
// Thread-safety: none; one for each worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace echod {

class Listener;

class Admission {
 public:
  explicit Admission(std::uint32_t max_connections) noexcept : max_connections_(max_connections) {}

  [[nodiscard]] bool is_full() const noexcept { return connections_ >= max_connections_; }
  [[nodiscard]] std::uint32_t connections() const noexcept { return connections_; }
  [[nodiscard]] std::uint32_t max_connections() const noexcept { return max_connections_; }

  void enter() noexcept { ++connections_; }
  // A connection has gone, its descriptor with it: resumes the first who waits.
  void leave() noexcept;
  // Resumes the first who waits for room, if there is any. Not those who wait for resources: the
  // one who calls this may have found just now that there are none.
  void pass_on() noexcept;

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

  static void resume(Place& place) noexcept;

  std::uint32_t max_connections_;
  std::uint32_t connections_ = 0;
  std::size_t waiters_ = 0;
  std::vector<Place> line_;
};

}  // namespace echod
