#include "loop/signal_watch.hpp"

#include <system_error>
#include <utility>

#include "loop/event_loop.hpp"

namespace echod {

SignalWatch::SignalWatch(EventLoop& loop, sys::SignalFd& signals,
                         std::function<void(int)> on_signal)
    : loop_(loop), signals_(signals), on_signal_(std::move(on_signal)) {
  if (const sys::IoResult added = loop_.add(*this, signals_.fd(), EPOLLIN); !added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

SignalWatch::~SignalWatch() {
  loop_.remove(*this);
}

Turn SignalWatch::on_turn(std::uint32_t /*events*/) noexcept {
  constexpr int kPerTurn = 8;
  for (int handled = 0; handled < kPerTurn; ++handled) {
    const auto signal = signals_.read_signal();
    if (!signal) {
      return Turn::wait;
    }
    on_signal_(*signal);
  }
  return Turn::again;
}

}  // namespace echod
