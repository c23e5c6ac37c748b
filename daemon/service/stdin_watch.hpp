// --quit-on-stdin: waits for the end of a line or the end of the file on standard input.
// Thread-safety: belongs to the loop's thread. Never blocks.
#pragma once

#include <functional>

#include "loop/channel.hpp"
#include "sys/shared_stream.hpp"

namespace echod {

class EventLoop;

class StdinWatch final : public Channel {
 public:
  // Borrows standard input and does not change its flags. `on_quit` is called once, in the loop's
  // thread; it must not throw. Standard input that epoll does not support (a regular file,
  // /dev/null) counts as being at its end. `loop` must outlive this. Throws std::system_error.
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
