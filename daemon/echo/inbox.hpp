// What other threads tell one worker: take this connection; there is room for one more.
//
// Thread-safety: any thread, but for what says otherwise. Takes a lock, which is never held longer
// than it takes to add a line to a list: for when connections come and go, not for their bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "clock.hpp"
#include "listen_socket.hpp"

namespace echod {

class EventLoop;

// For which of those who wait to accept the news is (admission.hpp).
enum class Waiters : std::uint8_t { for_room, any };

class Inbox {
 public:
  struct Mail {
    std::vector<sys::Accepted> connections;
    std::vector<Waiters> room;
  };

  // How long a worker may leave a connection in here. One that takes longer is busy with something,
  // and is given no more until it has looked.
  static constexpr std::chrono::milliseconds kPatience{100};

  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // From now on `on_mail` runs in the loop's thread when there is something to take().
  void open(EventLoop& loop, std::function<void()> on_mail);
  // Nothing comes in any more; what is left is closed.
  void close() noexcept;
  // The same, unless there is mail. Returns whether it is closed.
  [[nodiscard]] bool close_if_empty() noexcept;

  // False, and the connection stays the caller's: closed, late, or no memory.
  [[nodiscard]] bool hand_over(sys::Accepted& connection, sys::TimePoint now) noexcept;
  void tell_of_room(Waiters waiters) noexcept;
  // Moves the connections that nobody has taken to another inbox, late or not. Returns how many:
  // none if that is closed or there is no memory.
  std::size_t move_connections(Inbox& to, sys::TimePoint now) noexcept;

  // Everything that came since the last call. The worker's thread alone. The reference holds until
  // the next call.
  [[nodiscard]] Mail& take() noexcept;

 private:
  void notify();

  std::mutex mutex_;
  EventLoop* loop_ = nullptr;  // Guarded by mutex_, like all but taken_. Null: closed.
  std::function<void()> on_mail_;
  Mail mail_;
  sys::TimePoint oldest_{};  // When mail_.connections got its first.
  bool is_notified_ = false;
  Mail taken_;
};

}  // namespace echod
