#include "timeout_sweep.hpp"

#include <algorithm>

#include "echo_context.hpp"

namespace echod {

namespace {

constexpr int kSweepsPerTimeout = 16;
constexpr std::chrono::milliseconds kShortest{10};
constexpr std::chrono::milliseconds kLongest{10'000};
constexpr std::size_t kChunksPerTurn = 16;

}  // namespace

std::optional<std::chrono::milliseconds> sweep_interval(const TimeoutsConfig& timeouts,
                                                        bool is_draining) noexcept {
  std::optional<std::chrono::milliseconds> shortest;
  for (const auto timeout : {timeouts.idle, timeouts.stalled_write}) {
    if (timeout.count() > 0) {
      shortest = std::min(shortest.value_or(timeout), timeout);
    }
  }
  if (is_draining) {
    shortest = std::min(shortest.value_or(timeouts.linger), timeouts.linger);
  }
  if (!shortest) {
    return std::nullopt;
  }
  return std::clamp(*shortest / kSweepsPerTimeout, kShortest, kLongest);
}

TimeoutSweep::TimeoutSweep(EchoContext& context)
    : context_(context), timer_(context.loop.timers(), [this] { context_.loop.enqueue(*this); }) {}

TimeoutSweep::~TimeoutSweep() {
  context_.loop.remove(*this);
}

void TimeoutSweep::restart() {
  interval_ = sweep_interval(context_.settings.timeouts, context_.is_draining);
  if (interval_) {
    timer_.expire_at(context_.loop.now() + *interval_);
  } else {
    timer_.cancel();
  }
}

Turn TimeoutSweep::on_turn(std::uint32_t /*events*/) noexcept {
  next_chunk_ = context_.table.visit(next_chunk_, kChunksPerTurn,
                                     [](Connection& connection) { connection.check_timeouts(); });
  if (next_chunk_ != 0) {
    return Turn::again;
  }
  if (interval_) {
    timer_.expire_at(context_.loop.now() + *interval_);
  }
  return Turn::wait;
}

}  // namespace echod
