#include "stdin_watch.hpp"

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "event_loop.hpp"
#include "syscalls.hpp"

namespace echod {

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

Turn StdinWatch::on_turn(std::uint32_t /*events*/) noexcept {
  if (!is_at_end_) {
    // The event says that one read will not block; a second one could.
    std::array<char, 4096> input{};
    const sys::IoResult got =
        sys::IoResult::of(sys::calls::read(STDIN_FILENO, input.data(), input.size()));
    if (got.would_block() || got.error() == EINTR) {
      return Turn::wait;
    }
    const std::string_view text(input.data(), got.count());
    const bool is_part_of_a_line =
        !text.empty() && text.size() < input.size() && text.find('\n') == std::string_view::npos;
    if (is_part_of_a_line) {
      return Turn::wait;
    }
  }
  loop_.remove(*this);
  on_quit_();
  return Turn::wait;
}

}  // namespace echod
