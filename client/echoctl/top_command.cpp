#include "client/echoctl/top_command.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "client/echoctl/admin_request.hpp"
#include "client/echoctl/exit_codes.hpp"
#include "client/echoctl/interval_line.hpp"
#include "client/echoctl/output.hpp"
#include "client/echoctl/requests.hpp"
#include "client/echoctl/screen.hpp"
#include "client/echoctl/top_figures.hpp"
#include "client/echoctl/top_frame.hpp"
#include "sys/clock.hpp"
#include "sys/shared_stream.hpp"
#include "sys/signal_fd.hpp"
#include "sys/wait_ready.hpp"

namespace echod::ctl {

namespace {

AdminSocket socket_of(const Options& options) {
  return {.path = options.socket, .timeout = options.timeout};
}

std::uint64_t intervals(const Options& options) {
  return options.count.value_or(std::numeric_limits<std::uint64_t>::max());
}

// The times at which intervals end. A time that has passed already is skipped.
class Ticks {
 public:
  explicit Ticks(sys::Duration interval) : interval_(interval) {}

  [[nodiscard]] sys::TimePoint next() {
    const sys::TimePoint now = sys::MonotonicClock::now();
    next_ += interval_;
    next_ = next_ < now ? now : next_;
    return next_;
  }

 private:
  sys::Duration interval_;
  sys::TimePoint next_ = sys::MonotonicClock::now();
};

Status ask_for_status(const Options& options) {
  return parse_status(accepted_body(ask(socket_of(options), "GET", kStatusTarget)));
}

void print_lines(const Options& options) {
  constexpr std::uint64_t kLinesBelowHeadings = 20;
  TopFigures figures = next_figures(nullptr, ask_for_status(options), {});
  Ticks ticks(options.interval);
  for (std::uint64_t line = 0; line < intervals(options); ++line) {
    (void)sys::wait_ready({}, ticks.next());
    try {
      figures = next_figures(&figures, ask_for_status(options), {});
      print((line % kLinesBelowHeadings == 0 ? interval_headings() : "") + interval_line(figures));
    } catch (const FatalError& error) {
      if (error.code() == ExitCode::system) {
        throw;
      }
      report(error.what());
    }
  }
}

class LiveTop {
 public:
  LiveTop(const Options& options, TopFigures first)
      : options_(options),
        style_(Style::of_standard_output()),
        figures_(std::move(first)),
        signals_({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT}),
        keys_(STDIN_FILENO, O_RDONLY),
        has_keys_(isatty(STDIN_FILENO) == 1) {}

  void run() {
    draw();
    Ticks ticks(options_.interval);
    for (std::uint64_t i = 0; i < intervals(options_) && !is_ending_; ++i) {
      const sys::TimePoint next = ticks.next();
      while (!is_ending_ && sys::MonotonicClock::now() < next) {
        wait({.fd = -1, .events = 0, .revents = 0}, next);
      }
      if (!is_ending_) {
        update();
        draw();
      }
    }
  }

 private:
  void draw() {
    is_ending_ = !screen_.show(top_frame(figures_, screen_.size(), style_)) || is_ending_;
  }

  void update() {
    try {
      const auto status = body_of(kStatusTarget);
      const auto busiest = status ? body_of(kBusiestTarget) : std::nullopt;
      if (busiest) {
        figures_ = next_figures(&figures_, parse_status(*status), parse_connections(*busiest));
      }
    } catch (const FatalError& error) {
      figures_.problem = error.what();
    }
  }

  // Empty if the end was requested first.
  std::optional<std::string> body_of(const char* target) {
    AdminRequest request(socket_of(options_), "GET", target);
    while (!request.advance()) {
      wait(request.wanted(), request.wake_at());
      if (is_ending_) {
        return std::nullopt;
      }
    }
    return accepted_body(request.take_answer());
  }

  // Waits for `wanted`, a signal, a key or `until`. Handles signals and keys.
  void wait(pollfd wanted, sys::TimePoint until) {
    std::array<pollfd, 3> fds{
        wanted, pollfd{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = has_keys_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
    (void)sys::wait_ready(fds, until);
    while (const std::optional<int> signal = signals_.read_signal()) {
      on_signal(*signal);
    }
    if (fds[2].revents != 0) {
      on_keys();
    }
  }

  void on_signal(int signal) {
    switch (signal) {
      case SIGTSTP:
        screen_.leave();
        (void)raise(SIGSTOP);
        break;  // SIGCONT, which ends that stop, is pending.
      case SIGCONT:
        screen_.enter();
        draw();
        break;
      case SIGWINCH:
        draw();
        break;
      default:
        is_ending_ = true;
    }
  }

  void on_keys() {
    std::array<char, 64> keys{};
    const sys::IoResult read = keys_.read(keys);
    const std::string_view typed(keys.data(), read.count());
    const bool is_gone = read.ok() ? typed.empty() : !read.would_block() && read.error() != EINTR;
    is_ending_ = is_ending_ || is_gone || typed.find_first_of("qQ") != std::string_view::npos;
  }

  const Options& options_;
  Style style_;
  TopFigures figures_;
  bool is_ending_ = false;
  sys::SignalFd signals_;
  sys::SharedStream keys_;
  bool has_keys_;
  Screen screen_;
};

}  // namespace

void run_top(const Options& options) {
  if (!Screen::is_possible()) {
    print_lines(options);
    return;
  }
  // Before the screen is used, so that an error stays visible.
  Status status = ask_for_status(options);
  const std::string busiest = accepted_body(ask(socket_of(options), "GET", kBusiestTarget));
  LiveTop(options, next_figures(nullptr, std::move(status), parse_connections(busiest))).run();
}

}  // namespace echod::ctl
