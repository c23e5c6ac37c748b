// Signals as turns of an event loop.
#pragma once

#include <functional>

#include "loop/channel.hpp"
#include "sys/signal_fd.hpp"

namespace echod {

class EventLoop;

class SignalWatch final : public Channel {
 public:
  // `on_signal` is called in the loop's thread, once for each signal. Throws std::system_error.
  SignalWatch(EventLoop& loop, sys::SignalFd& signals, std::function<void(int)> on_signal);
  ~SignalWatch() override;
  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  sys::SignalFd& signals_;
  std::function<void(int)> on_signal_;
};

}  // namespace echod
