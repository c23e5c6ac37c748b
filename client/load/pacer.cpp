#include "client/load/pacer.hpp"

#include <system_error>
#include <utility>

#include "sys/clock.hpp"

namespace echod::client {

Pacer::Pacer(EventLoop& loop, OnDue on_due) : loop_(loop), on_due_(std::move(on_due)) {
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
  end_moment_ = sys::TimePoint::max();
  loop_.enqueue(*this);
}

// Bounded, so that connections read their answers in between.
Turn Pacer::on_turn(std::uint32_t /*events*/) noexcept {
  constexpr int kMostAtOnce = 64;
  constexpr std::chrono::milliseconds kRetryDelay{1};
  const sys::TimePoint now = sys::MonotonicClock::now();
  for (int i = 0; i < kMostAtOnce; ++i) {
    if (has_ended()) {
      return Turn::wait;
    }
    if (schedule_.due() > now) {
      timer_.expire_at(schedule_.due());
      return Turn::wait;
    }
    if (!on_due_(next_, schedule_.due())) {
      timer_.expire_at(now + kRetryDelay);
      return Turn::wait;
    }
    ++next_;
    schedule_.skip();
  }
  return Turn::again;
}

}  // namespace echod::client
