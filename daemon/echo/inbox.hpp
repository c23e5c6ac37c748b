// What other threads tell one worker: take this connection; there is room for one more.
//
// Thread-safety: any thread, but for what says otherwise. Takes a lock, which is never held longer
// than it takes to add a line to a list: for when connections come and go, not for their bytes.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>

#include "clock.hpp"
#include "listen_socket.hpp"

namespace echod {

class EventLoop;

// For which of those who wait to accept the news is (admission.hpp).
enum class Waiters : std::uint8_t { for_room, any };

class Inbox {
 public:
  // A list: to give on what is on its way between workers takes no memory.
  using Connections = std::list<sys::Accepted>;

  struct Mail {
    Connections connections;              // The first one first.
    std::array<std::uint32_t, 2> room{};  // How often there was news for each kind of Waiters.
    bool was_late = false;                // Some of it may have been taken back.
  };

  // How long a worker may leave a connection in here. One that takes longer is busy with something,
  // maybe stuck.
  static constexpr std::chrono::milliseconds kPatience{100};

  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // From now on `on_mail` runs in the loop's thread when there is something to take().
  void open(EventLoop& loop, std::function<void()> on_mail);
  // Nothing comes in any more; what is left is closed. The worker's thread, or when that has ended.
  void close() noexcept;
  // The same, unless there are connections. Returns whether it is closed. The worker's thread.
  [[nodiscard]] bool close_if_empty() noexcept;

  // Takes the first of `from`. False, and it stays there: closed, late, or out of patience; or too
  // many tasks wait in the loop for the memory that there is.
  [[nodiscard]] bool hand_over(Connections& from, sys::TimePoint now) noexcept;
  // False: it has not been told, for the same reasons.
  [[nodiscard]] bool tell_of_room(Waiters waiters) noexcept;

  // From now on it takes nothing in, until the worker has looked, which it is told to.
  void set_late() noexcept;
  [[nodiscard]] bool is_late() const noexcept { return is_late_.load(); }
  // What the worker has not taken yet, one by one, the last first; then nothing. What it left in
  // its mail is its own.
  [[nodiscard]] Connections take_back_connection() noexcept;
  [[nodiscard]] std::optional<Waiters> take_back_room() noexcept;
  // What was taken back and nobody else wants; late or not. False: closed, or no memory.
  [[nodiscard]] bool put_back(Connections& one) noexcept;

  // Everything that came since the last call, behind the connections that were left in it then; it
  // is late no more. The worker's thread alone. The reference holds until the next call.
  [[nodiscard]] Mail& take() noexcept;

 private:
  [[nodiscard]] bool notify() noexcept;

  std::mutex mutex_;
  std::atomic<bool> is_late_{false};  // Written under mutex_.
  EventLoop* loop_ = nullptr;         // Guarded by mutex_, like all but taken_. Null: closed.
  std::function<void()> on_mail_;
  Mail mail_;
  sys::TimePoint oldest_{};  // When mail_.connections got its first.
  bool is_notified_ = false;
  Mail taken_;
};

}  // namespace echod
