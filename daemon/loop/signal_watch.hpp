// Calls a callback for each signal, in turns of an event loop.
//
// Borrows the loop and the SignalFd, which must outlive it. Thread-safety: belongs to the loop's
// thread.
#pragma once

#include <functional>

#include "loop/channel.hpp"
#include "sys/signal_fd.hpp"

namespace echod {

class EventLoop;

class SignalWatch final : public Channel {
 public:
  // `on_signal` is called once for each signal, with its number. Throws std::system_error.
  SignalWatch(EventLoop& loop, sys::SignalFd& signals, std::function<void(int)> on_signal);
  ~SignalWatch() override;
  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  sys::SignalFd& signals_;
  std::function<void(int)> on_signal_;
};

}  // namespace echod
