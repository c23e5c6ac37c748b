#include "echo/timeout_sweep.hpp"

#include <algorithm>

#include "echo/echo_context.hpp"

namespace echod {

namespace {

constexpr int kSweepsPerTimeout = 16;
constexpr std::chrono::milliseconds kShortest{10};
constexpr std::chrono::milliseconds kLongest{10'000};
// As long as rounds are counted that are acknowledged, others may have to copy.
constexpr std::chrono::milliseconds kLongestWithPinnedRounds{1'000};

}  // namespace

std::chrono::milliseconds sweep_interval(const TimeoutsConfig& timeouts, bool is_draining,
                                         bool has_pinned_rounds) noexcept {
  std::chrono::milliseconds shortest =
      kSweepsPerTimeout * (has_pinned_rounds ? kLongestWithPinnedRounds : kLongest);
  for (const auto timeout : {timeouts.idle, timeouts.stalled_write}) {
    if (timeout.count() > 0) {
      shortest = std::min(shortest, timeout);
    }
  }
  if (is_draining) {
    shortest = std::min(shortest, timeouts.linger);
  }
  return std::max(shortest / kSweepsPerTimeout, kShortest);
}

TimeoutSweep::TimeoutSweep(EchoContext& context)
    : context_(context),
      visit_(
          context.loop, context.table, [](Connection& connection) { connection.check_timeouts(); },
          [this] { schedule(); }),
      timer_(context.loop.timers(), [this] { visit_.start(); }) {}

void TimeoutSweep::schedule() noexcept {
  timer_.expire_at_latest(context_.loop.now() + sweep_interval(context_.settings.timeouts,
                                                               context_.is_draining,
                                                               context_.pinned_rounds.has_any()));
}

}  // namespace echod
