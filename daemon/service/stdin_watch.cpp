#include "stdin_watch.hpp"

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "event_loop.hpp"
#include "syscalls.hpp"

namespace echod {

namespace {

bool is_readable() noexcept {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return sys::calls::poll(&input, 1, 0) == 1;
}

}  // namespace

StdinWatch::StdinWatch(EventLoop& loop, std::function<void()> on_quit)
    : loop_(loop), on_quit_(std::move(on_quit)) {
  if (const sys::IoResult added = loop_.add(*this, STDIN_FILENO, EPOLLIN); !added.ok()) {
    is_at_end_ = true;
    loop_.enqueue(*this);
  }
}

StdinWatch::~StdinWatch() {
  loop_.remove(*this);
}

// The turn comes from an event or from a look at the descriptor, so that one read does not block; a
// second one could.
Turn StdinWatch::on_turn(std::uint32_t /*events*/) noexcept {
  if (!is_at_end_) {
    std::array<char, 4096> input{};
    const sys::IoResult got =
        sys::IoResult::of(sys::calls::read(STDIN_FILENO, input.data(), input.size()));
    if (got.would_block() || got.error() == EINTR) {
      return Turn::wait;
    }
    const std::string_view text(input.data(), got.count());
    const bool is_part_of_a_line = !text.empty() && text.find('\n') == std::string_view::npos;
    if (is_part_of_a_line) {
      // The edge that brought us here may have been the last one: more bytes and the end of file
      // that follow them may have come with it.
      return is_readable() ? Turn::again : Turn::wait;
    }
  }
  loop_.remove(*this);
  on_quit_();
  return Turn::wait;
}

}  // namespace echod
