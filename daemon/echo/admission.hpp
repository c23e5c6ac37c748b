// Who may come in: the bound on connections, and who waits for room.
//
// When the daemon is full nobody is refused: listeners stop taking connections, clients wait in the
// kernel's accept queue, and the close of any connection lets the listeners go on at once.
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
  // A connection has gone, its descriptor with it: resumes the listeners that wait.
  void leave() noexcept;

  // Established connections stay when the bound sinks below their number.
  void set_max_connections(std::uint32_t max_connections) noexcept;

  // `listener` is resumed once, at the next leave(). At start, make room for it (may throw).
  void reserve_waiter() { waiting_.reserve(++waiters_); }
  void wait_for_room(Listener& listener) noexcept;
  void forget(Listener& listener) noexcept;

 private:
  void resume_waiting() noexcept;

  std::uint32_t max_connections_;
  std::uint32_t connections_ = 0;
  std::size_t waiters_ = 0;
  std::vector<Listener*> waiting_;
};

}  // namespace echod
