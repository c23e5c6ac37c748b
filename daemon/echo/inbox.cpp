#include "inbox.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "event_loop.hpp"

namespace echod {

void Inbox::open(EventLoop& loop, std::function<void()> on_mail) {
  const std::scoped_lock lock(mutex_);
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
  if (loop_ == nullptr || (!is_first && now - oldest_ > kPatience)) {
    return false;
  }
  try {
    notify();
    mail_.connections.push_back(std::move(connection));  // Or nothing was moved.
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (is_first) {
    oldest_ = now;
  }
  return true;
}

std::size_t Inbox::move_connections(Inbox& to, sys::TimePoint now) noexcept {
  const std::scoped_lock locks(mutex_, to.mutex_);
  const std::size_t count = mail_.connections.size();
  if (count == 0 || to.loop_ == nullptr) {
    return 0;
  }
  try {
    to.mail_.connections.reserve(to.mail_.connections.size() + count);
    to.notify();
  } catch (const std::bad_alloc&) {
    return 0;
  }
  std::move(mail_.connections.begin(), mail_.connections.end(),
            std::back_inserter(to.mail_.connections));
  mail_.connections.clear();
  to.oldest_ = now;
  return count;
}

void Inbox::tell_of_room(Waiters waiters) noexcept {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) {
    return;
  }
  try {
    notify();
    mail_.room.push_back(waiters);
  } catch (const std::bad_alloc&) {
    // The next connection that leaves tells of room again.
  }
}

Inbox::Mail& Inbox::take() noexcept {
  taken_.connections.clear();
  taken_.room.clear();
  const std::scoped_lock lock(mutex_);
  std::swap(taken_, mail_);
  is_notified_ = false;
  return taken_;
}

// The task waits for the lock that the caller holds, so it finds what the caller puts in next.
void Inbox::notify() {
  if (!is_notified_) {
    loop_->post([this] { on_mail_(); });
    is_notified_ = true;
  }
}

}  // namespace echod
