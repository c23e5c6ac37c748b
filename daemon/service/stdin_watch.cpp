#include "service/stdin_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "loop/event_loop.hpp"

namespace echod {

StdinWatch::StdinWatch(EventLoop& loop, std::function<void()> on_quit)
    : loop_(loop), on_quit_(std::move(on_quit)), input_(STDIN_FILENO, O_RDONLY) {
  const sys::IoResult added = loop_.add(*this, STDIN_FILENO, EPOLLIN);
  if (added.ok()) {
    return;
  }
  if (added.error() != EPERM) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl of standard input");
  }
  is_at_end_ = true;
  loop_.enqueue(*this);
}

StdinWatch::~StdinWatch() {
  loop_.remove(*this);
}

Turn StdinWatch::on_turn(std::uint32_t events) noexcept {
  is_hung_up_ = is_hung_up_ || (events & EPOLLHUP) != 0;
  if (!is_at_end_) {
    std::array<char, 4096> input{};
    const sys::IoResult got = input_.read(input);
    // EIO: the terminal has hung up, or this process is a background job of it (termios(3)).
    const bool is_in_background = got.error() == EIO && !is_hung_up_;
    if (got.would_block() || is_in_background) {
      return Turn::wait;
    }
    const std::string_view text(input.data(), got.count());
    const bool is_part_of_a_line = !text.empty() && text.find('\n') == std::string_view::npos;
    if (is_part_of_a_line || got.error() == EINTR) {
      return Turn::again;
    }
  }
  loop_.remove(*this);
  on_quit_();
  return Turn::wait;
}

}  // namespace echod
