#include "loop/notifier.hpp"

#include <algorithm>
#include <utility>

#include "loop/event_loop.hpp"

namespace echod {

Notifier::Notifier(EventLoop& loop, std::function<void()> on_notified)
    : loop_(loop), on_notified_(std::move(on_notified)) {
  loop_.notifiers_.push_back(this);
}

Notifier::~Notifier() {
  std::erase(loop_.notifiers_, this);
  loop_.remove(*this);
}

void Notifier::notify() noexcept {
  if (!is_raised_.exchange(true)) {
    loop_.wake_up();
  }
}

Turn Notifier::on_turn(std::uint32_t /*events*/) noexcept {
  on_notified_();
  return Turn::wait;
}

}  // namespace echod
