#include "inbox.hpp"

#include <new>
#include <utility>

#include "event_loop.hpp"

namespace echod {

void Inbox::open(EventLoop& loop, std::function<void()> on_mail) {
  const std::scoped_lock lock(mutex_);
  for (Mail* mail : {&mail_, &taken_}) {
    mail->connections.reserve(kReserved);
  }
  on_mail_ = std::move(on_mail);
  loop_ = &loop;
}

void Inbox::close() noexcept {
  const std::scoped_lock lock(mutex_);
  loop_ = nullptr;
  mail_ = {};
}

bool Inbox::close_if_empty() noexcept {
  const std::scoped_lock lock(mutex_);
  if (mail_.connections.empty()) {
    loop_ = nullptr;
  }
  return loop_ == nullptr;
}

bool Inbox::hand_over(sys::Accepted& connection, sys::TimePoint now) noexcept {
  const std::scoped_lock lock(mutex_);
  const bool is_first = mail_.connections.empty();
  const bool is_out_of_patience = !is_first && now - oldest_ > kPatience;
  if (loop_ == nullptr || is_late() || is_out_of_patience) {
    return false;
  }
  try {
    put(connection);
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (is_first) {
    oldest_ = now;
  }
  return true;
}

bool Inbox::tell_of_room(Waiters waiters) noexcept {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr || is_late()) {
    return false;
  }
  try {
    notify();
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++mail_.room.at(static_cast<std::size_t>(waiters));
  return true;
}

// Not without a look that will end it.
void Inbox::set_late() noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    notify();
    is_late_.store(true);
  } catch (const std::bad_alloc&) {
    // Who hands something over finds out again.
  }
}

std::optional<sys::Accepted> Inbox::take_back_connection() noexcept {
  const std::scoped_lock lock(mutex_);
  if (mail_.connections.empty()) {
    return std::nullopt;
  }
  std::optional<sys::Accepted> last(std::move(mail_.connections.back()));
  mail_.connections.pop_back();
  return last;
}

std::optional<Waiters> Inbox::take_back_room() noexcept {
  const std::scoped_lock lock(mutex_);
  for (const Waiters waiters : {Waiters::any, Waiters::for_room}) {
    if (std::uint32_t& news = mail_.room.at(static_cast<std::size_t>(waiters)); news > 0) {
      --news;
      return waiters;
    }
  }
  return std::nullopt;
}

bool Inbox::put_back(sys::Accepted& connection) noexcept {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) {
    return false;
  }
  try {
    put(connection);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

Inbox::Mail& Inbox::take() noexcept {
  taken_.connections.clear();
  const std::scoped_lock lock(mutex_);
  taken_.connections.swap(mail_.connections);
  taken_.room = std::exchange(mail_.room, {});
  taken_.was_late = is_late_.exchange(false);
  is_notified_ = false;
  return taken_;
}

void Inbox::put(sys::Accepted& connection) {
  notify();
  mail_.connections.push_back(std::move(connection));  // Or nothing was moved.
}

// The task waits for the lock that the caller holds, so it finds what the caller puts in next.
void Inbox::notify() {
  if (!is_notified_ && loop_ != nullptr) {
    loop_->post([this] { on_mail_(); });
    is_notified_ = true;
  }
}

}  // namespace echod
