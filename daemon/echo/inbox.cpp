#include "inbox.hpp"

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
  taken_ = {};
}

bool Inbox::close_if_empty() noexcept {
  const std::scoped_lock lock(mutex_);
  if (mail_.connections.empty() && taken_.connections.empty()) {
    loop_ = nullptr;
  }
  return loop_ == nullptr;
}

bool Inbox::hand_over(Connections& from, sys::TimePoint now) noexcept {
  const std::scoped_lock lock(mutex_);
  const bool is_first = mail_.connections.empty();
  const bool is_out_of_patience = !is_first && now - oldest_ > kPatience;
  if (loop_ == nullptr || is_late() || is_out_of_patience || !notify()) {
    return false;
  }
  mail_.connections.splice(mail_.connections.end(), from, from.begin());
  if (is_first) {
    oldest_ = now;
  }
  return true;
}

bool Inbox::tell_of_room(Waiters waiters) noexcept {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr || is_late() || !notify()) {
    return false;
  }
  ++mail_.room.at(static_cast<std::size_t>(waiters));
  return true;
}

// Not without a look that will end it: if there is no memory to ask for one, who hands something
// over finds out again.
void Inbox::set_late() noexcept {
  const std::scoped_lock lock(mutex_);
  if (notify()) {
    is_late_.store(true);
  }
}

Inbox::Connections Inbox::take_back_connection() noexcept {
  const std::scoped_lock lock(mutex_);
  Connections last;
  if (!mail_.connections.empty()) {
    last.splice(last.end(), mail_.connections, std::prev(mail_.connections.end()));
  }
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

bool Inbox::put_back(Connections& one) noexcept {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr || !notify()) {
    return false;
  }
  mail_.connections.splice(mail_.connections.end(), one);
  return true;
}

Inbox::Mail& Inbox::take() noexcept {
  const std::scoped_lock lock(mutex_);
  taken_.connections.splice(taken_.connections.end(), mail_.connections);
  taken_.room = std::exchange(mail_.room, {});
  taken_.was_late = is_late_.exchange(false);
  is_notified_ = false;
  return taken_;
}

// The task waits for the lock that the caller holds, so it finds what the caller puts in next.
// False: no memory.
bool Inbox::notify() noexcept {
  if (!is_notified_ && loop_ != nullptr) {
    try {
      loop_->post([this] { on_mail_(); });
    } catch (const std::bad_alloc&) {
      return false;
    }
    is_notified_ = true;
  }
  return true;
}

}  // namespace echod
