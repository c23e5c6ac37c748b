#include "pacer.hpp"

#include <system_error>
#include <utility>

#include "clock.hpp"

namespace echod::client {

Pacer::Pacer(EventLoop& loop, std::function<void(std::uint64_t number)> on_due)
    : loop_(loop), on_due_(std::move(on_due)) {
  if (const sys::IoResult added = loop_.add(*this, timer_.fd(), EPOLLIN); !added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

Pacer::~Pacer() {
  loop_.remove(*this);
}

void Pacer::start(const Schedule& schedule, std::uint64_t end) noexcept {
  schedule_ = schedule;
  next_ = 0;
  end_ = end;
  loop_.enqueue(*this);
}

// A bounded number at a time: when many are due, answers must be read in between.
Turn Pacer::on_turn(std::uint32_t /*events*/) noexcept {
  constexpr int kMostAtOnce = 64;
  const sys::TimePoint now = sys::MonotonicClock::now();
  for (int i = 0; i < kMostAtOnce; ++i) {
    if (next_ >= end_) {
      return Turn::wait;
    }
    if (const sys::TimePoint due = schedule_.due(next_); due > now) {
      timer_.expire_at(due);
      return Turn::wait;
    }
    on_due_(next_++);
  }
  return Turn::again;
}

}  // namespace echod::client
