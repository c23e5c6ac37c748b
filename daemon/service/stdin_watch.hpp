// --quit-on-stdin: the end of a line, or of the file, on standard input.
#pragma once

#include <functional>

#include "loop/channel.hpp"
#include "sys/shared_stream.hpp"

namespace echod {

class EventLoop;

class StdinWatch final : public Channel {
 public:
  // `on_quit` is called once, in the loop's thread; it must not throw. A descriptor that epoll does
  // not take (a regular file, /dev/null) counts as being at its end. Borrows standard input and
  // leaves its flags alone.
  StdinWatch(EventLoop& loop, std::function<void()> on_quit);
  ~StdinWatch() override;
  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  std::function<void()> on_quit_;
  sys::SharedStream input_;
  bool is_hung_up_ = false;
  bool is_at_end_ = false;
};

}  // namespace echod
